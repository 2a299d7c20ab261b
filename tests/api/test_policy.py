"""Authorization: the matrix of roles, scopes, fields and mutations, generated from the policy table and tested on the real API."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLType,
    get_named_type,
    is_composite_type,
    is_list_type,
    is_non_null_type,
    is_required_input_field,
)

from app import database, ids
from app.access.actor import Actor, OperatorScope, Role, Scope
from app.access.policy import OPERATOR_KEYS, RULES, Action, AnyAction, UserAction
from app.api.execution.documents import Documents
from app.api.execution.rate import Rates
from app.api.schema import ACTIONS, core
from app.clock import DAY
from app.keys.key import API_KEY_ID
from app.management_keys import service as management_keys
from app.management_keys.management_key import MANAGEMENT_KEY_ID, ManagementKeyInput
from app.paging import Window
from app.rotations import service as rotations
from app.rotations.rotation import ROTATION_ID
from app.tenancy import store as workspace_store
from app.usage.caller import CALLER_ID
from app.users.user import USER_ID
from app.webhooks import delivery_store
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.api.conftest import operator_program, program
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.alerts import raise_alert
from tests.support.graphql import Client

SCHEMA = core()
MUTATIONS = [name.removeprefix("Mutation.") for name in ACTIONS if name.startswith("Mutation.")]
READS = [name for name in ACTIONS if not name.startswith(("Mutation.", "Query."))]
# Arguments of fields that require some.
ARGUMENTS = {"leakedApiKeys": "(sha256:[])", "preview": "(kind:DORMANT_KEY)"}
NOWHERE = {API_KEY_ID: ids.new(API_KEY_ID), MANAGEMENT_KEY_ID: ids.new(MANAGEMENT_KEY_ID), USER_ID: ids.new(USER_ID)}


def path_to(kind: str) -> list[str] | None:
    """The shortest path of fields from the query root to this type; None for types that only mutations return."""
    ways: dict[str, list[str]] = {"Query": []}
    for _ in range(8):
        for parent, way in list(ways.items()):
            for name, field in getattr(SCHEMA.type_map[parent], "fields", {}).items():
                child = get_named_type(field.type)
                if is_composite_type(child) and child.name not in ways:
                    ways[child.name] = [*way, _called(name, field)]
    if kind == "ManagementKey":
        return ["viewer{", "managementKey{"]
    return ways.get(kind)


def query_for(coordinate: str) -> str | None:
    """A query that reads this field and as little else as possible."""
    kind, name = coordinate.split(".")
    way = path_to(kind)
    if way is None:
        return None
    definition: GraphQLField = SCHEMA.type_map[kind].fields[name]
    leaf = name + ARGUMENTS.get(name, "") + ("{__typename}" if is_composite_type(get_named_type(definition.type)) else "")
    return "{" + "".join(way) + leaf + "}" * (len(way) + 1)


def _called(name: str, field: GraphQLField) -> str:
    """Requests short pages, because long pages of lists within lists would cost too much."""
    if name == "node":
        return f'{name}(id:"{NOWHERE[API_KEY_ID]}"){{'
    if name in ARGUMENTS:
        return f"{name}{ARGUMENTS[name]}{{"
    return f"{name}(first:1){{" if "first" in field.args else f"{name}{{"


def touched(query: str) -> frozenset[str]:
    documents = Documents(SCHEMA)
    document = documents.prepare(query)
    assert not document.errors, (query, document.errors)
    return documents.cost_of(document, document.operation(None), {}).coordinates


def scopes_for(coordinates: frozenset[str]) -> set[Scope | None]:
    """The scopes that the table requires of a management key for all of these fields; None: no scope allows them."""
    return {scope_for(action) for name in coordinates if (action := ACTIONS[name]) is not None}


def scope_for(action: AnyAction) -> Scope | None:
    return RULES[action].scope if isinstance(action, Action) else None


def includes(role: Role, action: AnyAction) -> bool:
    """Whether a member with this role may do it; what is for users, all may; what is for the operator only, none may."""
    return isinstance(action, UserAction) or (isinstance(action, Action) and role.includes(RULES[action].role))


def may_read(role: Role, coordinates: frozenset[str]) -> bool:
    return all(includes(role, action) for name in coordinates if (action := ACTIONS[name]) is not None)


async def become(team: Team, role: Role) -> None:
    """Changes the role of the owner, who has created management keys."""
    async with database.transaction():
        await workspace_store.set_role(team.workspace.id, team.owner.user_id or "", role)


REACHABLE = {name: query for name in READS if (query := query_for(name))}


def test_all_fields_except_those_of_payloads_are_reached() -> None:
    answers = (
        "Payload",
        "NotFound",
        "NotAllowed",
        "Conflict",
        "ValidationFailed",
        "FieldProblem",
        "PlanLimitReached",
        "RotationNotReady",
        "Problem",
        "ApiKeyPreview",
        "RotationPreview",
        "WebhookPreview",
        "WorkspacePreview",
        # Tested with the subscriptions.
        "Subscription",
        "SubscriptionEvent",
        "ApiKeyUsedEvent",
        "RotationChangedEvent",
        "AlertRaisedEvent",
    )
    assert [name for name in READS if name not in REACHABLE and not name.split(".")[0].endswith(answers)] == []


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("scope", list(Scope))
async def test_a_management_key_reads_only_what_its_scope_and_its_creators_role_allow(team: Team, scope: Scope, role: Role) -> None:
    key, held = await program(team.owner, team.slug, scope), scope.implied
    await make_key(team)
    await become(team, role)
    for name, query in REACHABLE.items():
        key.endpoint.operations._rates = Rates()  # as below
        coordinates = touched(query)
        if scopes_for(coordinates) <= held:
            expected = [] if may_read(role, coordinates) else ["NOT_ALLOWED"]
            answer = (await key.send(query)).json()
            assert [error["extensions"]["code"] for error in answer.get("errors", [])] == expected, (name, answer)
        elif role is Role.OWNER:  # a query that the scope does not allow is refused before any role is read
            answer = (await key.send(query)).json()
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "NOT_ALLOWED" and "data" not in answer, (name, answer)


@pytest.mark.parametrize("role", list(Role))
async def test_a_member_reads_only_what_the_role_allows(team: Team, role: Role) -> None:
    client = Client({Role.OWNER: team.owner, Role.EDITOR: team.editor, Role.VIEWER: team.viewer}[role])
    await make_key(team)
    for name, query in REACHABLE.items():
        client.endpoint.operations._rates = Rates()  # so many requests would exceed the caller's rate limit
        errors = (await client.send(query)).json().get("errors", [])
        expected = [] if may_read(role, touched(query)) else ["NOT_ALLOWED"]
        assert [error["extensions"]["code"] for error in errors] == expected, (name, errors)


def sample(kind: GraphQLType, name: str) -> Any:
    """A well-formed input that refers to no existing object."""
    plain = kind.of_type if is_non_null_type(kind) else kind
    if is_list_type(plain):
        return [sample(plain.of_type, name)]
    if isinstance(plain, GraphQLInputObjectType):
        return {item: sample(field.type, item) for item, field in plain.fields.items() if is_required_input_field(field)}
    if isinstance(plain, GraphQLEnumType):
        return next(iter(plain.values))
    values = {"id": NOWHERE[API_KEY_ID], "user": NOWHERE[USER_ID], "expiresAt": "2026-12-31T00:00:00Z"}
    values |= {"deadline": "2026-12-31T00:00:00Z", "rotation": ids.new(ROTATION_ID), "caller": ids.new(CALLER_ID)}
    values |= {"apiKey": NOWHERE[API_KEY_ID], "expected": True}
    values |= {"environment": "production", "permissions": "pdf.read", "email": "new@example.com", "plan": "free"}
    return values.get(name, "text")


async def outcome(client: Client, mutation: str, **more: Any) -> str:
    """The name of the type that a mutation returns."""
    kind = f"{mutation[0].upper()}{mutation[1:]}Input"
    given = sample(SCHEMA.type_map[kind], "") | more
    answer = await client.ask(f"mutation($i:{kind}!){{{mutation}(input:$i){{__typename}}}}", i=given)
    return answer[mutation]["__typename"]


async def aim(team: Team, mutation: str) -> dict[str, Any]:
    """Input that refers to an existing object, so that the role in its workspace decides."""
    key = (await make_key(team)).key.id
    run = (await rotations.start(team.owner, (await make_key(team)).key.id)).progress.rotation.id
    if mutation == "revokeManagementKey":
        wanted = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
        return {"id": (await management_keys.create(team.owner, team.slug, wanted))[0].id}
    if "Webhook" in mutation:
        wanted_webhook = WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com")
        webhook = (await webhooks.create(team.owner, team.slug, wanted_webhook)).webhook
        if mutation == "redeliverWebhook":
            await webhooks.send_test(team.owner, webhook.id)
            return {"id": (await delivery_store.page(webhook.id, Window(1))).items[0].id}
        return {} if mutation == "createWebhook" else {"id": webhook.id}
    if mutation == "deleteWorkspace":
        return {"id": (await seen(team.owner, team.slug)).workspace.id}
    if mutation == "resolveAlert":
        return {"id": await raise_alert((await make_key(team)).key)}
    if mutation.endswith("ApiKeys"):
        return {"ids": [key]}
    if mutation in ("createApiKey", "verifyApiKey"):
        return {}
    named = {"dismissCaller": {"rotation": run}, "restoreCaller": {"rotation": run}, "setExpectedUse": {"apiKey": key}}
    return named.get(mutation, {"id": key} if "ApiKey" in mutation else {"id": run} if "Rotation" in mutation else {})


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_management_key_changes_only_what_its_scopes_and_its_creators_role_allow(team: Team, mutation: str) -> None:
    action = ACTIONS[f"Mutation.{mutation}"]
    assert action is not None
    needed = scope_for(action)
    aimed = await aim(team, mutation)
    single = {scope: await program(team.owner, team.slug, scope) for scope in Scope}
    every = await program(team.owner, team.slug, *Scope)
    for role in (Role.VIEWER, Role.EDITOR, Role.OWNER):
        await become(team, role)
        for scope, key in single.items():
            allowed = needed in scope.implied and includes(role, action)
            assert (await outcome(key, mutation, **aimed) != "NotAllowed") is allowed, (scope, role)
        allowed = needed is not None and includes(role, action)
        assert (await outcome(every, mutation, **aimed) != "NotAllowed") is allowed, role


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_a_member_changes_only_what_the_role_allows(team: Team, mutation: str) -> None:
    action = ACTIONS[f"Mutation.{mutation}"]
    assert action is not None
    aimed = await aim(team, mutation)
    for actor, role in ((team.viewer, Role.VIEWER), (team.editor, Role.EDITOR), (team.owner, Role.OWNER)):
        assert (await outcome(Client(actor), mutation, **aimed) == "NotAllowed") is not includes(role, action), role


@pytest.mark.parametrize("scope", list(OperatorScope))
async def test_an_operator_key_reads_only_what_its_scope_allows(team: Team, scope: OperatorScope) -> None:
    key = await operator_program(scope)
    listed = {f"Query.workspaces.{name}": f"{{workspaces{{nodes{{{name}{{__typename}}}}}}}}" for name in ("apiKeyLimit", "members")}
    for name, query in (REACHABLE | listed).items():
        key.endpoint._rates = Rates()  # as above
        needed = {OPERATOR_KEYS.get(action) for item in touched(query) if (action := ACTIONS[item]) is not None}
        answer = (await key.send(query)).json()
        if needed <= scope.implied:
            assert "errors" not in answer, (name, answer)
        else:
            (error,) = answer["errors"]
            assert error["extensions"]["code"] == "NOT_ALLOWED" and "data" not in answer, (name, answer)


@pytest.mark.parametrize("mutation", MUTATIONS)
async def test_an_operator_key_changes_only_what_its_scopes_allow(team: Team, mutation: str) -> None:
    needed = OPERATOR_KEYS.get(ACTIONS[f"Mutation.{mutation}"])  # type: ignore[arg-type]
    for scope in OperatorScope:
        found = await outcome(
            await operator_program(scope), mutation, **({"workspace": team.slug} if mutation == "changePlan" else {})
        )
        assert (found != "NotAllowed") is (needed in scope.implied), scope


async def test_the_refusal_of_an_operator_key_names_the_scope_or_says_that_there_is_none(team: Team) -> None:
    text = "mutation($i:SuspendWorkspaceInput!){suspendWorkspace(input:$i){... on Problem{message}}}"
    answer = await (await operator_program(OperatorScope.WORKSPACES_READ)).ask(text, i={"workspace": team.slug})
    assert answer["suspendWorkspace"] == {"message": "This needs an operator key with the scope workspaces.write."}
    every = await operator_program(*OperatorScope)
    (error,) = await every.refused("{workspaces{nodes{apiKeys{totalCount}}}}")
    sentence = "An operator key cannot do this: it manages workspaces, not what belongs to them."
    assert error["message"].endswith(f": {sentence}")


async def test_a_refused_mutation_gives_the_reason_in_a_sentence(team: Team) -> None:
    text = "mutation($i:ChangePlanInput!){changePlan(input:$i){... on Problem{message}}}"
    key = await program(team.owner, team.slug, *Scope)
    answer = await key.ask(text, i={"plan": "free"})
    assert answer["changePlan"] == {"message": "A management key cannot do this; sign in as an owner."}
    for actor, role in ((team.viewer, "a viewer"), (team.editor, "an editor")):
        answer = await Client(actor).ask(text, i={"plan": "free"})
        assert answer["changePlan"] == {"message": f"This needs the role owner; you are {role} here."}


async def test_a_management_key_may_do_no_more_than_its_creator_may_now(team: Team) -> None:
    key = await program(team.owner, team.slug, "keys.read", "keys.write", "workspace.write")
    assert await outcome(key, "createApiKey") == "CreateApiKeyPayload"
    owner = team.owner.user_id or ""
    async with database.transaction():
        await workspace_store.set_role(team.workspace.id, owner, Role.VIEWER)
    assert await outcome(key, "createApiKey") == "NotAllowed"
    assert (await key.ask("{workspace{apiKeys{totalCount}}}"))["workspace"] == {"apiKeys": {"totalCount": 1}}
    async with database.transaction():
        await workspace_store.remove_member(team.workspace.id, owner)
    assert await key.ask("{workspace{id}}") == {"workspace": None}
    assert await outcome(key, "createApiKey") == "NotFound"


async def test_the_operators_key_acts_as_an_owner_of_its_own_workspace_and_nowhere_else(team: Team, other_team: Team) -> None:
    key = await program(Actor.operator(), team.slug, *Scope)
    assert await outcome(key, "createApiKey") == "CreateApiKeyPayload"
    assert await outcome(key, "createApiKey", workspace=team.slug) == "CreateApiKeyPayload"
    assert await outcome(key, "createApiKey", workspace=other_team.slug) == "NotFound"
    assert await key.ask("query($s:String){workspace(slug:$s){id}}", s=other_team.slug) == {"workspace": None}
    assert await outcome(key, "changePlan") == "NotAllowed"


async def test_a_management_key_of_a_member_of_two_workspaces_stays_in_its_own(team: Team, other_team: Team) -> None:
    async with database.transaction():
        await database.fetch("UPDATE member SET account = {} WHERE account = {}", team.owner.user_id, other_team.owner.user_id)
    both, key = Client(team.owner), await program(team.owner, team.slug, *Scope)
    other = "query($s:String){workspace(slug:$s){slug} viewer{workspaces{slug}}}"
    assert len((await both.ask(other, s=other_team.slug))["viewer"]["workspaces"]) == 2
    found = await key.ask(other, s=other_team.slug)
    assert found == {"workspace": None, "viewer": {"workspaces": [{"slug": team.slug}]}}
    assert (await both.ask("{workspace{slug}}"))["workspace"] is None
    answer = await both.change("keys/create", name="k", environment="production", permissions=["pdf.read"])
    assert [fault["field"] for fault in answer["fields"]] == ["workspace"]


async def test_a_query_that_is_not_allowed_is_refused_completely_before_execution(team: Team) -> None:
    key = await program(team.owner, team.slug, "keys.write")
    mutation = """mutation($i: CreateApiKeyInput!) {
      createApiKey(input: $i) { ... on CreateApiKeyPayload { secret apiKey { id usage { totalRequests } } } }
    }"""
    (error,) = await key.refused(mutation, i={"name": "k", "environment": "production", "permissions": ["pdf.read"]})
    assert error["message"] == "ApiKey.usage: This needs a management key with the scope usage.read."
    assert (await key.ask("{workspace{apiKeys{totalCount}}}"))["workspace"]["apiKeys"]["totalCount"] == 0


async def test_introspection_is_allowed_to_callers_only(team: Team) -> None:
    query = '{__schema{queryType{name}} __type(name:"ApiKey"){name}}'
    for client in (Client(team.viewer), await program(team.owner, team.slug, "audit.read")):
        assert (await client.ask(query))["__type"] == {"name": "ApiKey"}
    assert (await Client().send(query)).status_code == 401
