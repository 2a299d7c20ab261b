"""Scopes of management keys: which are effective, and what an error reveals about objects that a key may not see."""

from __future__ import annotations

import json
import re

import pytest

from app import ids
from app.access.actor import Actor, Role
from app.keys.key import API_KEY_ID
from app.management_keys.management_key import MANAGEMENT_KEY_ID
from app.members import service as members
from app.paths import DOCS
from app.rotations.rotation import ROTATION_ID
from app.usage.caller import CALLER_ID
from app.workspaces import service as workspaces
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client

USAGE = "query($id: ID!) { node(id: $id) { id ... on ApiKey { usage { totalRequests } unusedPermissions { name } } } }"
NAME = "query($id: ID!) { node(id: $id) { ... on ApiKey { name } } }"
ANY = "query($id: ID!) { node(id: $id) { __typename } }"
EFFECTIVE = "{ viewer { scopes effectiveScopes } }"


async def test_the_usage_scope_alone_reads_only_the_usage_of_a_key(team: Team, other_team: Team) -> None:
    key, foreign = (await make_key(team)).key.id, (await make_key(other_team)).key.id
    monitoring = await program(team.owner, team.slug, "usage.read")
    held = [{"name": "pdf.generate"}, {"name": "pdf.read"}]
    assert await monitoring.ask(USAGE, id=key) == {"node": {"id": key, "usage": {"totalRequests": 0}, "unusedPermissions": held}}
    assert await monitoring.ask(USAGE, id=foreign) == {"node": None}
    (refusal,) = await monitoring.refused(NAME, id=key)
    assert refusal["extensions"]["code"] == "NOT_ALLOWED" and "keys.read" in refusal["message"]


async def test_the_first_request_of_the_guide_works_with_the_one_scope_that_it_names(team: Team) -> None:
    key = (await make_key(team)).key
    guide = (DOCS / "graphql.md").read_text(encoding="utf-8")
    (scope,) = re.findall(r"^The key needs the scope `(\S+)`", guide, re.M)
    asked = re.findall(r"-d '(.+)'", guide)[0]
    answer = await (await program(team.owner, team.slug, scope)).ask(json.loads(asked)["query"])
    assert answer == {
        "workspace": {"slug": team.slug, "apiKeys": {"nodes": [{"name": key.name, "prefix": key.prefix, "status": "ACTIVE"}]}}
    }


@pytest.mark.parametrize("kind", [API_KEY_ID, ROTATION_ID, CALLER_ID, MANAGEMENT_KEY_ID])
async def test_without_the_scope_an_existing_object_answers_like_one_that_does_not_exist(team: Team, kind: str) -> None:
    auditor = await program(team.owner, team.slug, "audit.read")
    known = {API_KEY_ID: (await make_key(team)).key.id}
    made = await program(team.owner, team.slug, "audit.read")
    known[MANAGEMENT_KEY_ID] = (await made.ask("{ viewer { managementKey { id } } }"))["viewer"]["managementKey"]["id"]
    answers = [(await auditor.send(ANY, {"id": each})).json() for each in (ids.new(kind), known.get(kind, ids.new(kind)))]
    assert answers[0] == answers[1]
    assert answers[0]["data"] == {"node": None}


async def test_a_role_without_access_does_not_learn_whether_a_management_key_exists(editor: Client, team: Team) -> None:
    made = await program(team.owner, team.slug, "audit.read")
    known = (await made.ask("{ viewer { managementKey { id } } }"))["viewer"]["managementKey"]["id"]
    assert await editor.ask(ANY, id=known) == await editor.ask(ANY, id=ids.new(MANAGEMENT_KEY_ID)) == {"node": None}


async def test_effective_scopes_follow_the_creators_role_and_the_suspension(team: Team) -> None:
    ci = await program(team.owner, team.slug, "keys.write", "workspace.write")
    everything = ["keys.read", "keys.write", "workspace.read", "workspace.write"]

    async def effective() -> list[str]:
        viewer = (await ci.ask(EFFECTIVE))["viewer"]
        assert viewer["scopes"] == ["keys.write", "workspace.write"]
        return sorted(viewer["effectiveScopes"])

    assert await effective() == everything
    await workspaces.suspend(Actor.operator(), team.slug)
    assert await effective() == everything, "to suspend and revoke keys, and to delete webhooks"
    await workspaces.resume(Actor.operator(), team.slug)
    await members.change_role(team.owner, team.slug, team.editor.id, Role.OWNER)
    for role, left in ((Role.EDITOR, everything[:3]), (Role.VIEWER, ["keys.read", "workspace.read"])):
        await members.change_role(team.editor, team.slug, team.owner.id, role)
        assert await effective() == left


async def test_a_person_has_a_role_instead_of_scopes(owner: Client) -> None:
    assert await owner.ask(EFFECTIVE) == {"viewer": {"scopes": [], "effectiveScopes": []}}
