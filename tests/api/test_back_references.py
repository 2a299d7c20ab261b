"""Fields that lead from an object to its workspace, and from a caller to its key."""

from __future__ import annotations

import pytest

from app import database
from app.access.actor import Actor
from app.api.execution.cost import STATEMENTS
from app.api.execution.documents import Documents
from app.api.framework import loaders
from app.api.schema import core
from app.rotations import service as rotations
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access
from tests.api.conftest import program
from tests.conftest import Team, make_key, make_team
from tests.support.callers import use
from tests.support.graphql import Client
from tests.support.statements import counted

UP = "workspace { id slug apiKeyLimit { used } }"
PAGE = f"query($n: Int!) {{ workspace {{ apiKeys(first: $n) {{ nodes {{ id {UP} }} }} }} }}"
CREATE = """mutation($i: CreateApiKeyInput!) {
  createApiKey(input: $i) { ... on CreateApiKeyPayload { secret apiKey { name workspace { %s } } } }
}"""
ASKED = {"name": "k", "environment": "production", "permissions": ["pdf.read"]}


async def test_keys_rotations_callers_management_keys_and_webhooks_have_their_workspace(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    await use(key)
    run = (await rotations.start(team.owner, key)).progress.rotation.id
    token = await program(team.owner, team.slug, "keys.read")
    management_key = (await token.ask("{ viewer { managementKey { id workspace { slug } } } }"))["viewer"]["managementKey"]
    assert management_key["workspace"] == {"slug": team.slug}
    found = (await owner.run("keys/callers", id=key))["callers"]["nodes"]
    webhook = (await owner.change("webhooks/create", name="CI", url="https://hooks.example.com"))["webhook"]["id"]
    nodes = {"ApiKey": key, "Rotation": run, "Caller": found[0]["id"], "ManagementKey": management_key["id"], "Webhook": webhook}
    for kind, node_id in nodes.items():
        query = f"query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {UP} }} }} }}"
        assert (await owner.ask(query, id=node_id))["node"]["workspace"] == {
            "id": team.workspace.id,
            "slug": team.slug,
            "apiKeyLimit": {"used": 1},
        }
    back = await owner.ask("query($id: ID!) { node(id: $id) { ... on Caller { apiKey { id name } } } }", id=found[0]["id"])
    assert back["node"]["apiKey"] == {"id": key, "name": "Production server"}


def test_every_node_but_a_workspace_has_its_workspace() -> None:
    nodes = core().get_implementations(core().type_map["Node"]).objects  # type: ignore[arg-type]
    assert {kind.name for kind in nodes if "workspace" not in kind.fields} == {"Workspace"}


async def test_members_invitations_audit_events_and_deliveries_have_their_workspace(owner: Client, team: Team) -> None:
    await owner.change("members/invite", email="new@example.org", role="VIEWER")
    webhook = (await owner.change("webhooks/create", name="CI", url="https://hooks.example.com"))["webhook"]["id"]
    await owner.change("webhooks/test", id=webhook)
    lists = "members(first: 1) { nodes { ID } } invitations { nodes { ID } } auditEvents(first: 1) { nodes { ID } }"
    lists += " webhooks { deliveries { nodes { ID } } }"
    asked = "{ workspace { " + lists.replace("ID", "id workspace { slug }") + " } }"
    found = (await owner.ask(asked))["workspace"]
    nodes = [found[name]["nodes"][0] for name in ("members", "invitations", "auditEvents")]
    nodes.append(found["webhooks"][0]["deliveries"]["nodes"][0])
    for node in nodes:
        assert node["workspace"] == {"slug": team.slug}
        query = "query($id: ID!) { node(id: $id) { ... on KIND { workspace { slug } } } }"
        kind = (await owner.ask("query($id: ID!) { node(id: $id) { __typename } }", id=node["id"]))["node"]["__typename"]
        assert (await owner.ask(query.replace("KIND", kind), id=node["id"]))["node"] == {"workspace": {"slug": team.slug}}


async def test_the_answer_to_a_new_key_has_the_current_limit(owner: Client) -> None:
    for used in (1, 2):
        answer = await owner.ask(CREATE % "apiKeyLimit { used }", i=ASKED)
        assert answer["createApiKey"]["apiKey"]["workspace"]["apiKeyLimit"] == {"used": used}


async def test_with_any_scope_the_identifying_fields_of_the_workspace_can_be_read(team: Team) -> None:
    ci = await program(team.owner, team.slug, "keys.write")
    answer = await ci.ask(CREATE % "id slug", i=ASKED)
    assert answer["createApiKey"]["apiKey"]["workspace"] == {"id": team.workspace.id, "slug": team.slug}
    (refusal,) = await ci.refused(CREATE % "plan { name }", i=ASKED)
    assert refusal["message"] == "Workspace.plan: This needs a management key with the scope workspace.read."
    # Refused before execution: no key was created whose secret would be lost.
    assert (await ci.ask("{ workspace { apiKeys { totalCount } } }"))["workspace"]["apiKeys"]["totalCount"] == 1


async def test_a_workspace_refused_during_execution_does_not_affect_the_answer_around_it(
    owner: Client, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tenancy.seen

    async def leaving(actor: Actor, slug: str | None, *, workspace_id: str | None = None) -> Access:
        async with database.transaction():
            await workspace_store.remove_member(team.workspace.id, team.owner.id)
        return await original(actor, slug, workspace_id=workspace_id)

    monkeypatch.setattr(loaders.tenancy, "seen", leaving)
    content = (await owner.send(CREATE % "slug", {"i": ASKED})).json()
    made = content["data"]["createApiKey"]
    assert made["secret"] and made["apiKey"] == {"name": "k", "workspace": None}
    (error,) = content["errors"]
    assert (error["path"], error["extensions"]["code"]) == (["createApiKey", "apiKey", "workspace"], "NOT_FOUND")


async def test_a_page_that_shows_the_workspace_of_each_key_costs_the_same_however_long_it_is(db: None) -> None:
    team, spent = await make_team(plan="scale_enterprise"), []
    for number in range(30):
        await make_key(team, f"Key {number}")
    for first in (2, 30):
        with counted() as statements:
            found = await Client(team.owner).ask(PAGE, n=first)
        nodes = found["workspace"]["apiKeys"]["nodes"]
        assert [node["workspace"]["apiKeyLimit"]["used"] for node in nodes] == [30] * first
        spent.append(len(statements))
    assert spent[0] == spent[1]


def test_a_list_within_each_keys_workspace_costs_its_statements_each_time() -> None:
    documents = Documents(core())
    document = documents.prepare(
        "{ workspace { apiKeys(first: 100) { nodes { workspace { members(first: 1) { totalCount } } } } } }"
    )
    assert not document.errors
    assert documents.cost_of(document, document.operation(None), {}).cost > 100 * STATEMENTS
