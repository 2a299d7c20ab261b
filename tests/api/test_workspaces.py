"""All workspaces, over GraphQL with an operator key: listed and managed, without what belongs to them."""

from __future__ import annotations

from app.access.actor import Actor, ActorKind, OperatorScope
from app.audit import service as audit
from app.operator_keys import service as operator_keys
from tests.api.conftest import operator_program
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
