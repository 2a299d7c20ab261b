"""The viewer, and the catalogue, by the published operations."""

from __future__ import annotations

from app import catalogue
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client, operation


async def test_a_member_is_a_user_with_a_role_in_each_workspace(editor: Client, team: Team) -> None:
    shown = await editor.run("viewer/show")
    assert shown == {
        "kind": "USER",
        "scopes": [],
        "effectiveScopes": [],
        "user": {"id": team.editor.id, "name": team.editor.name, "email": "editor@acme.example"},
        "managementKey": None,
        "workspaces": [{"id": team.workspace.id, "slug": team.slug, "name": team.workspace.name, "viewerRole": "EDITOR"}],
    }


async def test_a_program_is_its_management_key_in_its_one_workspace(team: Team) -> None:
    key = await program(team.owner, team.slug, "workspace.read", "keys.read")
    shown = await key.run("viewer/show")
    assert (shown["kind"], shown["scopes"], shown["user"]) == ("MANAGEMENT_KEY", ["keys.read", "workspace.read"], None)
    assert shown["managementKey"]["name"] == "CI" and key.token and key.token.startswith(shown["managementKey"]["prefix"])
    assert [(place["slug"], place["viewerRole"]) for place in shown["workspaces"]] == [(team.slug, None)]


async def test_the_catalogue_is_the_same_for_every_caller_and_in_its_order(viewer: Client, stranger: Client) -> None:
    content = await viewer.ask(operation("catalogue/show"))
    assert content == await stranger.ask(operation("catalogue/show"))
    offered = catalogue.current()
    assert [each["name"] for each in content["permissions"]] == list(offered.permissions)
    assert [each["name"] for each in content["environments"]] == list(offered.environments)
    assert [(each["name"], each["apiKeyLimit"]) for each in content["plans"]] == [
        (plan.name, plan.max_api_keys) for plan in offered.plans.values()
    ]
