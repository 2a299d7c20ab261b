"""All workspaces, over GraphQL with an operator key: listed and managed, without what belongs to them. And a user's own."""

from __future__ import annotations

from app import runtime
from app.access.actor import Actor, ActorKind, OperatorScope, Scope
from app.audit import service as audit
from app.operator_keys import service as operator_keys
from app.provisioning.self_service import Allowance
from tests.api.conftest import operator_program, program
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.graphql import Client


async def test_workspaces_are_listed_filtered_and_paged(team: Team, other_team: Team) -> None:
    key = await operator_program("workspaces.read")
    await make_key(team)
    listed = await key.run("workspaces/list")
    assert listed["totalCount"] == 2
    assert {node["slug"]: node["apiKeyLimit"]["used"] for node in listed["nodes"]} == {team.slug: 1, other_team.slug: 0}
    first = await key.run("workspaces/list", first=1)
    second = await key.run("workspaces/list", first=1, after=first["pageInfo"]["endCursor"])
    assert [*first["nodes"], *second["nodes"]] == listed["nodes"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    for filter, expected in (
        ({"search": team.slug.upper()}, {team.slug}),
        ({"search": other_team.workspace.id}, {other_team.slug}),
        ({"search": "%"}, set()),
        ({"search": "x" * 60_000}, set()),
        ({"plan": team.workspace.plan}, {each.slug for each in (team, other_team) if each.workspace.plan == team.workspace.plan}),
        ({"plan": "none"}, set()),
        ({"suspended": True}, set()),
        ({"suspended": False}, {team.slug, other_team.slug}),
    ):
        found = await key.run("workspaces/list", filter=filter)
        assert {node["slug"] for node in found["nodes"]} == expected, filter
        assert found["totalCount"] == len(expected)


async def test_billing_changes_a_plan_and_suspends_and_the_workspaces_audit_log_says_who(team: Team) -> None:
    billing = await operator_program("workspaces.write")
    (key,) = await operator_keys.keys(Actor.operator())
    answer = await billing.change("plans/change", workspace=team.slug, plan="scale_enterprise")
    assert answer["workspace"]["plan"]["name"] == "scale_enterprise"
    suspended = await billing.change("workspaces/suspend", workspace=team.slug)
    assert (
        suspended["workspace"]["suspendedAt"]
        == (await billing.change("workspaces/suspend", workspace=team.slug))["workspace"]["suspendedAt"]
    )
    assert (await billing.run("workspaces/list", filter={"suspended": True}))["totalCount"] == 1
    assert (await billing.change("workspaces/resume", workspace=team.slug))["workspace"]["suspendedAt"] is None
    entries = await audit.about(await seen(team.owner, team.slug), team.workspace.id)
    assert [(entry.action, entry.actor.kind, entry.actor.id) for entry in entries][:3] == [
        (action, ActorKind.OPERATOR_KEY, key.id) for action in ("workspace.resumed", "workspace.suspended", "plan.changed")
    ]
    shown = (await Client(team.owner).run("audit/list", workspace=team.slug))["auditEvents"]["nodes"][0]["actor"]
    assert (shown["kind"], shown["actorId"], shown["name"]) == ("OPERATOR_KEY", key.id, "Billing")


async def test_who_makes_workspaces_cannot_become_the_owner_of_others(team: Team) -> None:
    billing = await operator_program("workspaces.write", "workspaces.delete")
    refused = await billing.change("workspaces/transfer", workspace=team.slug, ownerEmail="billing@example.org")
    assert refused["message"] == "This needs an operator key with the scope workspaces.transfer."
    assert (await billing.change("workspaces/provision", name="Other", ownerEmail="ann@example.org"))["workspace"][
        "slug"
    ] == "other"


async def test_an_unknown_workspace_and_an_unknown_plan_are_said(team: Team) -> None:
    billing = await operator_program("workspaces.write")
    assert (await billing.change("workspaces/suspend", workspace="none"))["code"] == "NOT_FOUND"
    faults = (await billing.change("plans/change", workspace=team.slug, plan="none"))["fields"]
    assert [fault["field"] for fault in faults] == ["plan"]
    assert [fault["field"] for fault in (await billing.change("plans/change", plan="free"))["fields"]] == ["workspace"]


async def test_nothing_that_belongs_to_a_workspace_is_found_by_its_id(team: Team) -> None:
    every = await operator_program(*OperatorScope)
    key = (await make_key(team)).key
    text = "query($id: ID!) { node(id: $id) { id } }"
    assert await every.ask(text, id=key.id) == {"node": None}
    assert await every.ask(text, id=team.workspace.id) == {"node": {"id": team.workspace.id}}


async def test_a_customer_is_provided_transferred_and_deleted(db: None) -> None:
    operator = await operator_program("workspaces.write", "workspaces.transfer", "workspaces.delete")
    asked = {"name": "Acme", "ownerEmail": "ann@example.org", "plan": "growth", "idempotencyKey": "customer-1"}
    made = await operator.change("workspaces/provision", **asked)
    workspace = made["workspace"]
    assert (workspace["slug"], workspace["plan"]["name"]) == ("acme", "growth") and "/invitations/" in made["invitationLink"]
    assert await operator.change("workspaces/provision", **asked) == made | {"invitationLink": None}
    other = await operator.change("workspaces/provision", **asked | {"name": "Other"})
    assert other["code"] == "CONFLICT"
    faults = await operator.change("workspaces/provision", name="", ownerEmail="no", slug="No", plan="none")
    assert [fault["field"] for fault in faults["fields"]] == ["name", "ownerEmail", "slug", "plan"]
    moved = await operator.change("workspaces/transfer", workspace="acme", ownerEmail="bea@example.org")
    assert moved["workspace"]["id"] == workspace["id"] and moved["invitationLink"] != made["invitationLink"]
    wrong = await operator.change("workspaces/delete", id=workspace["id"], slug="other")
    assert [fault["field"] for fault in wrong["fields"]] == ["slug"]
    deleted = await operator.change("workspaces/delete", id=workspace["id"], slug="acme")
    assert deleted["deletedId"] == workspace["id"]
    assert (await operator.change("workspaces/delete", id=workspace["id"], slug="acme"))["code"] == "NOT_FOUND"
    assert (await operator.change("workspaces/provision", **asked))["code"] == "NOT_FOUND"
    assert (await operator.run("workspaces/list"))["nodes"] == []
    (listed,) = (await operator.run("workspaces/list", filter={"deleted": True}))["nodes"]
    assert (listed["id"], listed["deletedAt"]) == (workspace["id"], deleted["deletedAt"])
    assert await operator.ask("query($id: ID!) { node(id: $id) { id } }", id=workspace["id"]) == {"node": None}


async def test_an_owner_deletes_their_own_workspace_and_reads_nothing_of_it_afterwards(team: Team, other_team: Team) -> None:
    owner = Client(team.owner)
    assert (await owner.change("workspaces/delete", id=other_team.workspace.id, slug=other_team.slug))["code"] == "NOT_FOUND"
    assert (await owner.change("workspaces/delete", id=team.workspace.id, slug=team.slug))["deletedId"] == team.workspace.id
    assert await owner.ask("{ viewer { workspaces { id } } }") == {"viewer": {"workspaces": []}}
    assert await Client(other_team.owner).ask("{ workspace { slug } }") == {"workspace": {"slug": other_team.slug}}


async def test_a_user_creates_a_workspace_of_their_own_once_and_no_key_does(team: Team) -> None:
    viewer = Client(team.viewer)
    asked = {"name": "My own", "idempotencyKey": "one"}
    made = await viewer.change("workspaces/create", **asked)
    assert made["workspace"] == {"id": made["workspace"]["id"], "slug": "my-own", "name": "My own", "plan": {"name": "free"}}
    assert await viewer.change("workspaces/create", **asked) == made
    assert (await viewer.change("workspaces/create", **asked | {"name": "Other"}))["code"] == "CONFLICT"
    faults = await viewer.change("workspaces/create", name="")
    assert [fault["field"] for fault in faults["fields"]] == ["name"]
    listed = await viewer.ask("{ viewer { workspaces { slug } } }")
    assert [each["slug"] for each in listed["viewer"]["workspaces"]] == [team.slug, "my-own"]
    for key, message in (
        (await program(team.owner, team.slug, *Scope), "A management key cannot do this; sign in as a user."),
        (
            await operator_program(*OperatorScope),
            "An operator key cannot do this: it manages workspaces, not what belongs to them.",
        ),
    ):
        assert await key.change("workspaces/create", name="Mine") == {"code": "NOT_ALLOWED", "message": message}


async def test_at_the_limit_no_further_workspace_is_created(team: Team) -> None:
    owner = Client(team.owner)
    with runtime.replaced(Allowance(1)):
        assert (await owner.change("workspaces/create", name="Mine"))["code"] == "CONFLICT"
    with runtime.replaced(Allowance(0)):
        assert (await owner.change("workspaces/create", name="Mine"))["code"] == "NOT_ALLOWED"
    assert await owner.ask("{ viewer { workspaces { slug } } }") == {"viewer": {"workspaces": [{"slug": team.slug}]}}
