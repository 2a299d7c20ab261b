"""A program that keeps API keys as they are declared, as a Terraform provider does: the steps of `docs/graphql.md`."""

from __future__ import annotations

from typing import Any

from app.access.actor import Role
from app.keys import service as keys
from app.members import service as members
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client

OWN = {"name": "managed-by", "value": "terraform"}
DECLARED: dict[str, Any] = {
    "name": "Shop",
    "environment": "production",
    "permissions": ["pdf.generate", "pdf.read"],
    "description": "For the shop",
    "labels": [OWN, {"name": "team", "value": "shop"}],
}


async def shown(client: Client, key_id: str) -> Any:
    return await client.run("keys/show", id=key_id)


async def test_plan_apply_refresh_and_destroy(team: Team) -> None:
    tool = await program(team.owner, team.slug, "keys.write")
    await make_key(team, "Made by hand")

    planned = await tool.change("keys/create", **DECLARED, validateOnly=True)
    made = await tool.change("keys/create", **DECLARED, idempotencyKey="shop 1")
    key, secret = made["apiKey"], made["secret"]
    assert secret and {name: key[name] for name in planned} == planned
    state = await shown(tool, key["id"])
    assert {name: state[name] for name in ("name", "description", "labels")} == {
        name: planned[name] for name in ("name", "description", "labels")
    }
    assert state["workspace"]["slug"] == team.slug

    # Nothing has changed, so nothing is written.
    same = {name: value for name, value in DECLARED.items() if name != "environment"}
    unchanged = await tool.change("keys/update", id=key["id"], **same, expectedRevision=state["revision"])
    assert (unchanged["apiKey"]["revision"], unchanged["apiKey"]["updatedAt"]) == (state["revision"], state["updatedAt"])

    # Someone has edited it: the plan fails instead of undoing that.
    await keys.update(team.owner, key["id"], {"name": "Renamed by hand"})
    wanted = {"id": key["id"], **same, "description": None, "expectedRevision": state["revision"]}
    assert (await tool.change("keys/update", **wanted, validateOnly=True))["code"] == "CONFLICT"
    fresh = await shown(tool, key["id"])
    assert fresh["revision"] != state["revision"] and fresh["updatedAt"] > state["updatedAt"]
    changed = await tool.change("keys/update", **wanted | {"expectedRevision": fresh["revision"]})
    assert (changed["apiKey"]["name"], changed["apiKey"]["description"]) == ("Shop", None)

    # A key that a lost state has forgotten is found by its label, and a key by its id.
    found = (await tool.run("keys/list", filter={"labels": [OWN], "status": ["ACTIVE"]}))["apiKeys"]
    assert [each["id"] for each in found["nodes"]] == [key["id"]]

    ended = await tool.change("keys/revoke", id=key["id"], reason="NO_LONGER_NEEDED")
    assert ended == await tool.change("keys/revoke", id=key["id"], reason="OTHER")
    assert (await shown(tool, key["id"]))["status"] == "REVOKED"
    assert (await tool.run("keys/list", filter={"labels": [OWN], "status": ["ACTIVE"]}))["apiKeys"]["nodes"] == []


async def test_a_lost_answer_is_repaired_until_one_arrives(team: Team) -> None:
    tool = await program(team.owner, team.slug, "keys.write")
    lost = await tool.change("keys/create", **DECLARED, idempotencyKey="shop 1")
    answer = await tool.change("keys/create", **DECLARED, idempotencyKey="shop 1")
    lost_too = await tool.change("keys/replace-unused", id=answer["apiKey"]["id"])
    for _ in range(3):
        if answer["secret"]:
            break
        answer = await tool.change("keys/replace-unused", id=answer["apiKey"]["id"])
    codes = [(await tool.change("keys/verify", key=each["secret"]))["code"] for each in (lost, lost_too, answer)]
    assert codes == ["REVOKED", "REVOKED", "VALID"]
    assert (await shown(tool, answer["apiKey"]["id"]))["labels"] == [OWN, {"name": "team", "value": "shop"}]


async def test_what_the_tool_may_do_now_is_known_before_it_does_anything(team: Team) -> None:
    tool = await program(team.owner, team.slug, "keys.write", "workspace.write")
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    await members.change_role(team.editor, team.slug, team.owner.id, Role.VIEWER)
    assert (await tool.run("viewer/show"))["effectiveScopes"] == ["keys.read", "workspace.read"]
    assert (await tool.change("keys/create", **DECLARED, validateOnly=True))["code"] == "NOT_ALLOWED"
