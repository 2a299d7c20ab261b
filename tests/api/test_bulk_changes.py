"""Changing several keys in one call, and validating a change without making it."""

from __future__ import annotations

from typing import Any

import pytest

from app import database, ids
from app.access.actor import Role, Scope
from app.clock import DAY, rfc3339
from app.errors import NotFound
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import API_KEY_ID, ApiKey, Reason
from app.tenancy import store as workspace_store
from app.tenancy.workspace import MEMBER_ID, Member
from app.users import store as user_store
from app.verification.verdict import Code
from tests.api.conftest import program
from tests.conftest import Team, make_key, make_team
from tests.support.graphql import Client
from tests.support.statements import counted

NEW = {"name": " New ", "environment": "production", "permissions": ["pdf.read"], "allowedIps": ["203.0.113.9"]}
NEW |= {"description": " For CI ", "labels": [{"name": "team", "value": "web"}, {"name": "pci"}]}


async def rows() -> Any:
    """All rows that a change could write."""
    tables = ("api_key", "audit_entry", "idempotency", "workspace")
    return [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in tables]


async def test_each_key_gets_the_same_result_as_in_a_single_revocation(owner: Client, team: Team, other_team: Team) -> None:
    first, second, third = [await make_key(team, name) for name in ("First", "Second", "Third")]
    foreign = (await make_key(other_team)).key.id
    earlier = await keys.revoke(team.editor, second.key.id, Reason.MEMBER_LEFT, "left")
    nowhere = ids.new(API_KEY_ID)
    asked = [first.key.id, foreign, second.key.id, nowhere, third.key.id, first.key.id]
    results = (await owner.change("keys/revoke-all", ids=asked, reason="EXPOSED_IN_LOGS", note="the night"))["results"]
    assert [result.get("apiKey", result).get("id") for result in results] == [
        first.key.id, None, second.key.id, None, third.key.id, first.key.id,
    ]  # fmt: skip
    assert results[1] == results[3] == {"code": "NOT_FOUND", "message": "There is no such API key."}
    assert [results[at]["apiKey"]["revocationReason"] for at in (0, 2, 4)] == ["EXPOSED_IN_LOGS", "MEMBER_LEFT", "EXPOSED_IN_LOGS"]
    assert (await keys.get(team.owner, second.key.id)).revocation == earlier.revocation
    revocation = (await keys.get(team.owner, third.key.id)).revocation
    assert revocation and (revocation.note, revocation.by) == ("the night", team.owner.ref)
    assert (await keys.get(other_team.owner, foreign)).revocation is None
    for secret in (first.secret, third.secret):
        told = await owner.change("keys/verify", key=secret)
        assert told["verdict"] == Code.REVOKED
    entries = (await owner.run("audit/list", filter={"action": "key.revoked"}, order="ASC"))["auditEvents"]["nodes"]
    assert [entry["target"] for entry in entries] == [second.key.id, first.key.id, third.key.id]
    before = await rows()
    assert (await owner.change("keys/revoke-all", ids=asked, reason="OTHER"))["results"] == results
    assert (await rows())[:3] == before[:3]


async def test_all_revocations_are_in_the_journal_when_the_answer_arrives(owner: Client, team: Team) -> None:
    made = [(await make_key(team)).key.id for _ in range(3)]
    await owner.change("keys/revoke-all", ids=made, reason="OTHER")
    text = journal.current().path.read_text(encoding="utf-8")
    assert all(text.count(f'"{key_id}"') == 1 for key_id in made)


async def test_for_keys_of_several_workspaces_the_role_in_each_workspace_decides(
    owner: Client, team: Team, other_team: Team
) -> None:
    mine, theirs = (await make_key(team)).key.id, (await make_key(other_team)).key.id
    async with database.transaction():
        account = await user_store.find(team.owner.id)
        assert account
        member = Member(ids.new(MEMBER_ID), other_team.workspace.id, account, Role.VIEWER, await database.now())
        await workspace_store.add_member(member)
    results = (await owner.change("keys/revoke-all", ids=[theirs, mine], reason="OTHER"))["results"]
    assert results[0]["code"] == "NOT_ALLOWED" and results[1]["apiKey"]["status"] == "REVOKED"
    alone = await owner.change("keys/revoke-all", ids=[theirs], reason="OTHER")
    assert alone["code"] == "NOT_ALLOWED"
    assert (await keys.get(other_team.owner, theirs)).revocation is None


@pytest.mark.parametrize(
    ("operation", "given", "action", "field"),
    [
        ("keys/suspend-all", {}, "key.suspended", "status"),
        ("keys/resume-all", {}, "key.resumed", "status"),
        ("keys/update-all", {"labels": [{"name": "team", "value": "web"}], "expiresAt": None}, "key.updated", "labels"),
    ],
)
async def test_each_key_gets_the_same_result_as_in_a_single_change(
    owner: Client, team: Team, other_team: Team, operation: str, given: Any, action: str, field: str
) -> None:
    expires = await database.now() + DAY
    first, second, over = [(await make_key(team, name, expires_at=expires)).key for name in ("First", "Second", "Over")]
    if operation == "keys/resume-all":
        for key in (first, second):
            await keys.suspend(team.editor, key.id)
    await keys.revoke(team.owner, over.id, Reason.OTHER)
    foreign, nowhere = (await make_key(other_team)).key.id, ids.new(API_KEY_ID)
    asked = [second.id, foreign, over.id, nowhere, first.id, second.id]
    before = await database.now()
    results = (await owner.change(operation, ids=asked, **given))["results"]
    assert [result.get("code", "changed") for result in results] == [
        "changed", "NOT_FOUND", "CONFLICT", "NOT_FOUND", "changed", "changed",
    ]  # fmt: skip
    assert [results[at]["apiKey"]["id"] for at in (0, 4, 5)] == [second.id, first.id, second.id]
    single = await owner.change(operation.removesuffix("-all"), id=first.id, **given)
    assert {name: single["apiKey"][name] for name in ("id", field)} == {name: results[4]["apiKey"][name] for name in ("id", field)}
    filter = {"action": action, "since": rfc3339(before)}
    entries = (await owner.run("audit/list", filter=filter, order="ASC"))["auditEvents"]["nodes"]
    assert [entry["target"] for entry in entries] == [second.id, first.id]
    stored = await rows()
    assert (await owner.change(operation, ids=asked, **given))["results"] == results
    assert (await rows())[:3] == stored[:3]


async def test_an_expiry_is_extended_for_several_keys_and_what_one_cannot_have_does_not_stop_the_others(
    owner: Client, team: Team
) -> None:
    now = await database.now()
    lasting = (await make_key(team, expires_at=now + DAY)).key
    temporary = (await make_key(team, environment="temporary", expires_at=now + DAY)).key
    results = (await owner.change("keys/update-all", ids=[temporary.id, lasting.id], expiresAt=rfc3339(now + 200 * DAY)))["results"]
    assert [(fault["path"], fault["code"]) for fault in results[0]["fields"]] == [(["expiresAt"], "TOO_LATE")]
    assert results[1]["apiKey"]["expiresAt"] == rfc3339(now + 200 * DAY)
    assert await keys.get(team.owner, temporary.id) == temporary
    changed = await keys.get(team.owner, lasting.id)
    assert changed.expires_at == now + 200 * DAY and changed.changes(lasting).keys() == {"expires_at"}


async def test_null_permissions_are_refused_for_several_keys_too(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    refused = await owner.change("keys/update-all", ids=[key.id], permissions=None)
    assert [(fault["field"], fault["code"]) for fault in refused["fields"]] == [("permissions", "REQUIRED")]
    assert (await owner.change("keys/update-all", ids=[key.id]))["results"][0]["apiKey"]["revision"] == key.version


@pytest.mark.parametrize("operation", ["keys/suspend-all", "keys/resume-all", "keys/update-all"])
async def test_none_too_many_and_those_who_may_not_are_refused_once(
    owner: Client, viewer: Client, team: Team, operation: str
) -> None:
    key = (await make_key(team)).key
    assert (await owner.change(operation, ids=[]))["fields"][0]["code"] == "REQUIRED"
    for client in (viewer, await program(team.owner, team.slug, Scope.KEYS_READ)):
        assert (await client.change(operation, ids=[key.id]))["code"] == "NOT_ALLOWED"
    assert (await viewer.change(operation, ids=[ids.new(API_KEY_ID)]))["results"][0]["code"] == "NOT_FOUND"


async def test_with_a_slug_only_keys_of_that_workspace_are_changed(team: Team, other_team: Team) -> None:
    mine, theirs = (await make_key(team)).key, (await make_key(other_team)).key
    results = await keys.suspend_all(team.owner, [theirs.id, mine.id], slug=team.slug)
    assert isinstance(results[0], NotFound) and isinstance(results[1], ApiKey) and results[1].suspended_at is not None
    assert await keys.get(other_team.owner, theirs.id) == theirs
    assert [type(each) for each in await keys.suspend_all(team.owner, [theirs.id], slug=other_team.slug)] == [NotFound]


async def test_none_and_too_many_are_refused(owner: Client) -> None:
    assert (await owner.change("keys/revoke-all", ids=[], reason="OTHER"))["fields"][0]["code"] == "REQUIRED"
    text = "mutation($i: RevokeApiKeysInput!) { revokeApiKeys(input: $i) { __typename } }"
    (error,) = await owner.refused(text, i={"ids": [ids.new(API_KEY_ID)] * 101, "reason": "OTHER"})
    assert "100" in error["message"]


async def test_a_hundred_keys_are_one_change(db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    made = [(await make_key(team)).key.id for _ in range(100)]
    with counted() as statements:
        results = (await Client(team.owner).change("keys/revoke-all", ids=made, reason="OTHER"))["results"]
    assert {result["apiKey"]["status"] for result in results} == {"REVOKED"}
    assert len([text for text in statements if "UPDATE workspace SET revision" in text]) == 1


@pytest.mark.parametrize("operation", ["keys/create", "keys/update"])
async def test_validate_only_writes_nothing(owner: Client, team: Team, operation: str) -> None:
    target = {} if operation == "keys/create" else {"id": (await make_key(team)).key.id}
    asked = {name: value for name, value in NEW.items() if name != "environment" or not target} | target
    before = await rows()
    preview = await owner.change(operation, **asked, validateOnly=True)
    assert preview == {
        "name": "New",
        "environment": {"name": "production"},
        "permissions": [{"name": "pdf.read"}],
        "allowedIps": ["203.0.113.9/32"],
        "description": "For CI",
        "labels": [{"name": "pci", "value": ""}, {"name": "team", "value": "web"}],
        "owner": {"name": team.owner.name} | ({"userId": team.owner.id, "isMember": True} if target else {}),
        "expiresAt": None,
    }
    refused = await owner.change(
        operation, **asked | {"permissions": ["pdf.fly"], "labels": [{"name": "a=b", "value": "c"}]}, validateOnly=True
    )
    assert [fault["path"] for fault in refused["fields"]] == [["permissions", "0"], ["labels", "0"]]
    assert await rows() == before


async def test_validate_only_uses_up_no_idempotency_key(owner: Client) -> None:
    await owner.change("keys/create", **NEW, idempotencyKey="one", validateOnly=True)
    made = await owner.change("keys/create", **NEW, idempotencyKey="one")
    assert made["secret"] and made["apiKey"]["name"] == "New"


async def test_validating_needs_the_right_to_change_and_a_final_or_changed_key_conflicts(
    owner: Client, viewer: Client, team: Team
) -> None:
    key = (await make_key(team)).key
    for client in (viewer, await program(team.owner, team.slug, Scope.KEYS_READ)):
        for operation, given in (("keys/create", NEW), ("keys/update", {"id": key.id, "name": "Other"})):
            assert (await client.change(operation, **given, validateOnly=True))["code"] == "NOT_ALLOWED"
    stale = await owner.change("keys/update", id=key.id, name="Other", expectedRevision="0" * 16, validateOnly=True)
    assert stale["code"] == "CONFLICT"
    await keys.revoke(team.owner, key.id, Reason.OTHER)
    over = await owner.change("keys/update", id=key.id, name="Other", validateOnly=True)
    assert over["code"] == "CONFLICT"
