"""The security checklist over GraphQL, by its published operations: the same items as on the page, each with its scope."""

from __future__ import annotations

from typing import Any

import pytest

from app import database
from app.checklist import service
from app.checklist.item import ItemName
from app.clock import DAY, rfc3339
from app.keys.key import ApiKey
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.graphql import Client

NOW = 1_793_000_000_000_000
BREACHES = """query($f: Int $a: String) { workspace { checklist { items { name
  breaches(first: $f, after: $a) { totalCount nodes { cause permissions { name } } pageInfo { hasNextPage endCursor } } } } } }"""


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


async def aged(team: Team, name: str, days: int = 40) -> ApiKey:
    database.freeze(NOW - days * DAY)
    made = (await make_key(team, name)).key
    database.freeze(NOW)
    return made


def item(checklist: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in checklist["items"] if each["name"] == name]
    return dict(found)


async def test_the_operation_shows_what_the_page_shows(viewer: Client, team: Team) -> None:
    key = await aged(team, "Late", 100)
    shown = (await viewer.run("checklist/show"))["checklist"]
    found = await service.of_workspace(await seen(team.viewer, team.slug))
    assert (shown["passed"], shown["total"]) == (found.passed, 8)
    assert [(each["name"], each["passed"], each["reason"]) for each in shown["items"]] == [
        (each.name, each.passed, each.reason) for each in found.results
    ]
    (breach,) = item(shown, "PRODUCTION_ROTATED")["breaches"]["nodes"]
    assert (breach["remedy"], breach["apiKey"]) == ("ROTATE", {"id": key.id, "name": "Late", "prefix": key.prefix})


async def test_the_keys_of_an_item_come_in_pages_with_their_unused_permissions(viewer: Client, team: Team) -> None:
    for number in range(3):
        await aged(team, f"Key {number}", 40 + number)
    first = item((await viewer.ask(BREACHES, f=2))["workspace"]["checklist"], "LEAST_PERMISSIONS")["breaches"]
    assert (first["totalCount"], len(first["nodes"]), first["pageInfo"]["hasNextPage"]) == (3, 2, True)
    assert [each["name"] for each in first["nodes"][0]["permissions"]] == ["pdf.generate", "pdf.read"]


async def test_an_editor_confirms_and_gets_the_new_checklist(editor: Client, viewer: Client, team: Team) -> None:
    given = {"item": "COMPROMISE_PROCESS", "runbookUrl": "https://wiki.example.com/leaks"}
    answer = (await editor.change("checklist/attest", **given))["checklist"]
    found = item(answer, "COMPROMISE_PROCESS")
    assert found["passed"] and found["attestation"] == {
        "at": rfc3339(NOW),
        "by": {"name": team.editor.name},
        "validUntil": rfc3339(NOW + 180 * DAY),
        "runbookUrl": given["runbookUrl"],
    }
    assert item((await viewer.run("checklist/show"))["checklist"], "COMPROMISE_PROCESS")["attestation"] == found["attestation"]
    assert (await viewer.change("checklist/attest", **given))["code"] == "NOT_ALLOWED"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"item": "LEAST_PERMISSIONS"}, "item"),
        ({"item": "COMPROMISE_PROCESS"}, "runbookUrl"),
        ({"item": "COMPROMISE_PROCESS", "runbookUrl": None}, "runbookUrl"),
        ({"item": "COMPROMISE_PROCESS", "runbookUrl": "javascript:alert(1)"}, "runbookUrl"),
        ({"item": "KEYS_OUT_OF_CODE", "runbookUrl": "https://example.com"}, "runbookUrl"),
    ],
)
async def test_a_faulty_confirmation_is_refused_at_its_field(owner: Client, given: dict[str, Any], field: str) -> None:
    answer = await owner.change("checklist/attest", **given)
    assert [fault["field"] for fault in answer["fields"]] == [field]
    assert await database.fetch("SELECT item FROM checklist_attestation") == []


async def test_a_program_reads_the_checklist_and_confirms_nothing(team: Team) -> None:
    await aged(team, "Late", 100)
    reader = await program(team.owner, team.slug, "keys.read")
    assert (await reader.run("checklist/show"))["checklist"]["total"] == 8
    assert [each["extensions"]["code"] for each in await reader.refused(BREACHES, f=2)] == ["NOT_ALLOWED"]
    both = await program(team.owner, team.slug, "keys.read", "usage.read")
    assert (await both.ask(BREACHES, f=2))["workspace"]["checklist"]
    visits = "{ workspace { checklist { items { visits { name } } } } }"
    assert [each["extensions"]["code"] for each in await both.refused(visits)] == ["NOT_ALLOWED"]
    writer = await program(team.owner, team.slug, "keys.write", "workspace.write")
    assert (await writer.change("checklist/attest", item="KEYS_OUT_OF_CODE"))["code"] == "NOT_ALLOWED"


async def test_those_who_looked_are_members_with_name_and_time(viewer: Client, team: Team) -> None:
    await aged(team, "Old")
    await service.note_visit(await seen(team.owner, team.slug))
    shown = await viewer.ask("{ workspace { checklist { items { name visits { name userId at } } } } }")
    found = item(shown["workspace"]["checklist"], str(ItemName.USAGE_REVIEWED))
    assert found["visits"] == [{"name": team.owner.name, "userId": team.owner.id, "at": rfc3339(NOW)}]
