"""API keys over GraphQL, by the published operations."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from app import catalogue, database, runtime
from app.api.schema import core
from app.clock import DAY, rfc3339
from app.keys import service
from app.keys.secret import class_of
from tests.conftest import Team, make_key, make_team
from tests.support.graphql import Client, operation

ASKED = {"name": "Production server", "environment": "production", "permissions": ["pdf.read", "pdf.generate"]}


async def test_a_created_key_is_shown_with_its_secret_once(owner: Client) -> None:
    made = await owner.change("keys/create", **ASKED)
    assert class_of(made["secret"], ("fl",)) == "live"
    key = made["apiKey"]
    assert made["secret"].startswith(key["prefix"]) and len(key["prefix"]) == len("fl_live_a1b2")
    assert [item["name"] for item in key["permissions"]] == ["pdf.generate", "pdf.read"]
    assert (key["status"], key["environment"], key["allowedIps"], key["expiresAt"]) == ("ACTIVE", {"name": "production"}, [], None)
    shown = await owner.run("keys/show", id=key["id"])
    assert made["secret"] not in str(shown) and shown["prefix"] == key["prefix"]


async def test_the_list_shows_the_workspaces_keys_page_by_page(owner: Client, team: Team) -> None:
    names = [f"Key {number}" for number in range(5)]
    for name in names:
        await make_key(team, name)
    seen, after = [], None
    while True:
        page = (await owner.run("keys/list", first=2, after=after))["apiKeys"]
        assert page["totalCount"] == 5
        seen += [key["name"] for key in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == names[::-1]


async def test_at_the_plans_limit_the_answer_lists_the_plans_that_would_allow_one_more(db: None) -> None:
    owner = Client((await make_team(plan="free")).owner)
    assert (await owner.change("keys/create", **ASKED))["secret"]
    refused = await owner.change("keys/create", **ASKED)
    assert refused == {
        "code": "PLAN_LIMIT_REACHED",
        "message": refused["message"],
        "plan": {"name": "free", "title": "Free"},
        "limit": 1,
        "used": 1,
        "upgradeTo": [
            {"name": name, "title": title, "apiKeyLimit": limit, "upgradeUrl": None}
            for name, title, limit in (
                ("starter", "Starter", 2),
                ("growth", "Growth", 5),
                ("scale", "Scale", 10),
                ("scale_business", "Scale Business", 25),
                ("scale_enterprise", "Scale Enterprise", None),
            )
        ],
    }
    assert (await owner.run("workspaces/show"))["apiKeyLimit"] == {"limit": 1, "used": 1, "rotating": 0, "remaining": 0}


async def test_a_repeated_create_gives_the_same_key_without_the_secret(owner: Client) -> None:
    first = await owner.change("keys/create", **ASKED, idempotencyKey="deploy-7")
    again = await owner.change("keys/create", **ASKED, idempotencyKey="deploy-7")
    assert first["secret"] and again == first | {"secret": None}
    other = await owner.change("keys/create", **(ASKED | {"name": "Other"}), idempotencyKey="deploy-7")
    assert other["code"] == "CONFLICT"
    assert (await owner.run("keys/list"))["apiKeys"]["totalCount"] == 1
    for wrong in ("", "x" * 201):
        faulty = await owner.change("keys/create", **ASKED, idempotencyKey=wrong)
        assert [fault["field"] for fault in faulty["fields"]] == ["idempotencyKey"]


async def test_an_idempotency_key_belongs_to_its_caller(owner: Client, editor: Client) -> None:
    made = [await client.change("keys/create", **ASKED, idempotencyKey="same") for client in (owner, editor)]
    assert made[0]["secret"] and made[1]["secret"] and made[0]["apiKey"]["id"] != made[1]["apiKey"]["id"]


async def test_every_fault_of_an_input_is_reported_at_its_field_and_nothing_is_created(owner: Client) -> None:
    wrong = {
        "name": " ",
        "environment": "prod",
        "permissions": ["pdf.generat", "pdf.read"],
        "allowedIps": ["203.0.113.9", "localhost"],
    }
    refused = await owner.change("keys/create", **wrong)
    assert refused["code"] == "VALIDATION_FAILED"
    assert {(fault["field"], fault["code"]) for fault in refused["fields"]} == {
        ("name", "REQUIRED"),
        ("environment", "UNKNOWN"),
        ("permissions", "UNKNOWN"),
        ("allowedIps", "INVALID"),
    }
    assert (await owner.run("keys/list"))["apiKeys"]["nodes"] == []


async def test_a_time_without_an_offset_is_refused_and_with_one_is_exact(owner: Client, team: Team) -> None:
    naive = await owner.refused(operation("keys/create"), input=ASKED | {"expiresAt": "2027-03-01T12:00:00"})
    assert "RFC 3339" in naive[0]["message"]
    made = await owner.change("keys/create", **ASKED, expiresAt="2036-03-01T12:00:00.123456789+02:30")
    assert made["apiKey"]["expiresAt"] == "2036-03-01T09:30:00.123456Z"


async def test_an_edit_changes_what_is_given_and_leaves_the_rest(owner: Client, team: Team) -> None:
    key = (await make_key(team, allowed_ips=("203.0.113.9/32",), expires_at=await database.now() + DAY)).key

    async def edited(**given: Any) -> tuple[str, list[str], list[str], bool]:
        shown = (await owner.change("keys/update", id=key.id, **given))["apiKey"]
        permissions = [item["name"] for item in shown["permissions"]]
        return shown["name"], permissions, shown["allowedIps"], shown["expiresAt"] is not None

    assert await edited() == ("Production server", ["pdf.generate", "pdf.read"], ["203.0.113.9/32"], True)
    assert await edited(name="New") == ("New", ["pdf.generate", "pdf.read"], ["203.0.113.9/32"], True)
    assert await edited(permissions=["pdf.read"]) == ("New", ["pdf.read"], ["203.0.113.9/32"], True)
    assert await edited(allowedIps=[]) == ("New", ["pdf.read"], [], True)
    assert await edited(expiresAt=None) == ("New", ["pdf.read"], [], False)


async def test_a_key_is_suspended_resumed_and_permanently_revoked(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    assert (await owner.change("keys/suspend", id=key))["apiKey"]["status"] == "SUSPENDED"
    assert (await owner.change("keys/resume", id=key))["apiKey"] == {"id": key, "status": "ACTIVE", "suspendedAt": None}
    revoked = await owner.change("keys/revoke", id=key, reason="EXPOSED_IN_LOGS", note="seen in CI")
    assert revoked["apiKey"]["status"] == "REVOKED" and revoked["apiKey"]["revocationNote"] == "seen in CI"
    assert await owner.change("keys/revoke", id=key, reason="OTHER", note="again") == revoked


async def test_a_search_text_of_more_than_200_characters_is_refused_with_a_message(owner: Client, team: Team) -> None:
    key = (await make_key(team, "x" * 100)).key.id
    listed = await owner.run("keys/list", filter={"search": "x" * 100})
    assert [node["id"] for node in listed["apiKeys"]["nodes"]] == [key]
    assert (await owner.run("keys/list", filter={"search": "x" * 200}))["apiKeys"]["nodes"] == []
    for length in (201, 40_000):
        for field in ("totalCount", "nodes{id}"):
            query = f"query($s:String!){{workspace{{apiKeys(filter:{{search:$s}}){{{field}}}}}}}"
            (error,) = await owner.refused(query, s="x" * length)
            assert error["extensions"]["code"] == "VALIDATION_FAILED" and "200 characters" in error["message"]


async def test_a_note_that_is_too_long_is_truncated_and_does_not_prevent_revocation(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    revoked = await owner.change("keys/revoke", id=key, reason="OTHER", note="x" * 1_001)
    assert revoked["apiKey"]["status"] == "REVOKED" and revoked["apiKey"]["revocationNote"] == "x" * 1_000
    union = core().type_map["RevokeApiKeyResult"]
    assert [kind.name for kind in union.types] == ["RevokeApiKeyPayload", "NotFound", "NotAllowed"]
    for verb, more in (("suspend", {}), ("resume", {}), ("update", {"name": "New"})):
        assert (await owner.change(f"keys/{verb}", id=key, **more))["code"] == "CONFLICT"
    shown = await owner.run("keys/show", id=key)
    assert shown["revokedBy"] == {"kind": "USER", "name": team.owner.name}
    assert (shown["rotateBy"], shown["rotationDue"]) == (None, "NOT_DUE")


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, ["Alpha", "Beta", "Gamma"]),
        ({"search": "ALPH"}, ["Alpha"]),
        ({"search": "%"}, []),
        ({"status": ["SUSPENDED"]}, ["Beta"]),
        ({"status": "ACTIVE"}, ["Alpha", "Gamma"]),
        ({"status": ["ACTIVE", "SUSPENDED"]}, ["Alpha", "Beta", "Gamma"]),
        ({"status": []}, ["Alpha", "Beta", "Gamma"]),
        ({"environment": "staging"}, ["Gamma"]),
        ({"environment": "nowhere"}, []),
        ({"permission": "template.read"}, ["Gamma"]),
        ({"permission": "template"}, []),
        ({"permission": "pdf.read", "environment": "staging"}, ["Gamma"]),
    ],
)
async def test_the_list_is_filtered(owner: Client, team: Team, filter: dict[str, Any], expected: list[str]) -> None:
    await make_key(team, "Alpha")
    await service.suspend(team.owner, (await make_key(team, "Beta")).key.id)
    await make_key(team, "Gamma", environment="staging", permissions=("pdf.read", "template.read"))
    found = await owner.run("keys/list", filter=filter, orderBy={"field": "NAME"})
    assert [key["name"] for key in found["apiKeys"]["nodes"]] == expected
    assert found["apiKeys"]["totalCount"] == len(expected)


async def test_a_search_for_a_complete_secret_uses_only_its_prefix(owner: Client, team: Team) -> None:
    made = await make_key(team)
    found = await owner.run("keys/list", filter={"search": made.secret})
    assert [key["id"] for key in found["apiKeys"]["nodes"]] == [made.key.id]


async def test_rotation_falls_due_two_weeks_before_the_schedule(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    for days, due in ((75, "NOT_DUE"), (76, "DUE_SOON"), (89, "DUE_SOON"), (90, "OVERDUE")):
        database.freeze(key.created_at + days * DAY)
        shown = await owner.run("keys/show", id=key.id)
        assert (shown["rotationDue"], shown["rotateBy"]) == (due, rfc3339(key.created_at + 90 * DAY))


async def test_names_removed_from_the_catalogue_stay_readable_and_are_marked(owner: Client, team: Team) -> None:
    key = (await make_key(team, permissions=("pdf.read", "template.read"))).key.id
    before = catalogue.current()
    smaller = replace(before, permissions=MappingProxyType({"pdf.read": before.permission("pdf.read")}))
    runtime.put(smaller)
    shown = await owner.run("keys/show", id=key)
    assert [(item["name"], item["inCatalogue"]) for item in shown["permissions"]] == [("pdf.read", True), ("template.read", False)]
    refused = await owner.change("keys/create", **(ASKED | {"permissions": ["template.read"]}))
    assert refused["code"] == "VALIDATION_FAILED"


async def test_one_failed_mutation_does_not_remove_the_secrets_of_the_others(
    owner: Client, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(service, "suspend", broken)
    made = 'createApiKey(input:{name:"k",environment:"production",permissions:["pdf.read"]}){...on CreateApiKeyPayload{secret}}'
    answer = (await owner.send(f'mutation{{a:{made} suspendApiKey(input:{{id:"x"}}){{__typename}} b:{made}}}')).json()
    assert answer["data"]["suspendApiKey"] is None and len(answer["errors"]) == 1
    assert answer["data"]["a"]["secret"] and answer["data"]["b"]["secret"]
