"""Cursors and pages: no cursor can be forged or used for another list, and pages add up to the list in both directions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from app import runtime
from app.api.framework import connection, cursors
from app.peppers import service as peppers
from app.peppers.pepper import Pepper, Peppers
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client

FOREIGN = "This cursor does not belong to this list. Use one that the same list, in the same order, has given."
PAGE = """
query Page(
  $workspace: String, $first: Int, $after: String, $last: Int, $before: String, $filter: ApiKeyFilter, $orderBy: ApiKeyOrder
) {
  workspace(slug: $workspace) {
    apiKeys(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { id name } }
      nodes { name }
    }
  }
}
"""


async def page(client: Client, **arguments: Any) -> dict[str, Any]:
    return (await client.ask(PAGE, **arguments))["workspace"]["apiKeys"]


def names(found: dict[str, Any]) -> list[str]:
    return [edge["node"]["name"] for edge in found["edges"]]


@pytest.fixture
async def keys(team: Team) -> list[str]:
    """Seven names, in the order in which the keys were created."""
    made = [f"Key {letter}" for letter in "CAFBGDE"]
    for name in made:
        await make_key(team, name)
    return made


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize("field", ["CREATED_AT", "NAME", "LAST_USED_AT", "EXPIRES_AT"])
async def test_pages_add_up_to_the_list_forwards_and_backwards(owner: Client, keys: list[str], field: str, direction: str) -> None:
    order = {"field": field, "direction": direction}
    whole = names(await page(owner, first=100, orderBy=order))
    assert sorted(whole) == sorted(keys)
    if field in ("CREATED_AT", "NAME"):
        rising = keys if field == "CREATED_AT" else sorted(keys)
        assert whole == (rising if direction == "ASC" else rising[::-1])
    forwards, after = [], None
    for expected_more in (True, True, False):
        found = await page(owner, first=3, after=after, orderBy=order)
        assert found["pageInfo"]["hasNextPage"] is expected_more and found["pageInfo"]["hasPreviousPage"] is (after is not None)
        forwards, after = forwards + names(found), found["pageInfo"]["endCursor"]
    backwards, before = [], None
    for expected_more in (True, True, False):
        found = await page(owner, last=3, before=before, orderBy=order)
        assert found["pageInfo"]["hasPreviousPage"] is expected_more and found["pageInfo"]["hasNextPage"] is (before is not None)
        backwards, before = names(found) + backwards, found["pageInfo"]["startCursor"]
    assert forwards == backwards == whole


async def test_both_cursors_together_select_the_keys_between_them(owner: Client, keys: list[str]) -> None:
    found = await page(owner, first=100)
    cursors = [edge["cursor"] for edge in found["edges"]]
    assert names(await page(owner, after=cursors[1], before=cursors[5])) == names(found)[2:5]
    assert names(await page(owner, last=2, after=cursors[1], before=cursors[5])) == names(found)[3:5]
    assert [node["name"] for node in found["nodes"]] == names(found)
    assert found["totalCount"] == 7 == (await page(owner, first=1))["totalCount"]


async def test_an_empty_page_has_no_cursors(owner: Client) -> None:
    info = (await page(owner))["pageInfo"]
    assert info == {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}


async def test_pages_stay_complete_while_keys_are_created_and_revoked(owner: Client, team: Team, keys: list[str]) -> None:
    first = await page(owner, first=3)
    await make_key(team, "Key Z")
    second = await page(owner, first=100, after=first["pageInfo"]["endCursor"])
    assert names(first) + names(second) == keys[::-1]


async def refusal(client: Client, **arguments: Any) -> str:
    (error,) = await client.refused(PAGE, **arguments)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    return error["message"]


async def test_a_changed_forged_or_foreign_cursor_is_refused(
    owner: Client, stranger: Client, other_team: Team, keys: list[str]
) -> None:
    cursor = (await page(owner, first=2))["pageInfo"]["endCursor"]
    await make_key(other_team)
    foreign = (await page(stranger, first=1))["pageInfo"]["endCursor"]
    plain = base64.urlsafe_b64encode(b"arrayconnection:1").decode()
    changed = [cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :] for place in range(len(cursor))]
    for bad in (foreign, plain, "", "=", "é", "a" * 5000, cursor + "=", cursor + "A", cursor[:-1], *changed):
        assert await refusal(owner, after=bad) == FOREIGN, bad
        assert await refusal(owner, before=bad) == FOREIGN, bad
    for order in ({"field": "NAME"}, {"field": "CREATED_AT", "direction": "ASC"}):
        assert await refusal(owner, after=cursor, orderBy=order) == FOREIGN
    assert await refusal(stranger, after=cursor) == FOREIGN


async def test_a_cursor_of_one_list_is_refused_by_another(owner: Client, team: Team) -> None:
    await program(team.owner, team.slug, "keys.read")
    await make_key(team)
    query = "query($a:String){workspace{managementKeys(first:1,after:$a){pageInfo{endCursor}}}}"
    cursor = (await owner.ask(query))["workspace"]["managementKeys"]["pageInfo"]["endCursor"]
    assert await refusal(owner, after=cursor) == FOREIGN
    (error,) = await owner.refused(query, a=(await page(owner))["pageInfo"]["endCursor"])
    assert error["message"] == FOREIGN


async def test_cursors_survive_a_change_of_the_pepper(owner: Client, keys: list[str]) -> None:
    cursor = (await page(owner, first=2))["pageInfo"]["endCursor"]
    old = peppers.current()
    runtime.put(Peppers(Pepper(2, b"another pepper, as long as it has to be"), old.current))
    assert names(await page(owner, first=100, after=cursor)) == keys[::-1][2:]
    runtime.put(Peppers(Pepper(3, b"a third pepper, as long as it has to be, too")))
    assert await refusal(owner, after=cursor) == FOREIGN


async def test_only_requested_cursors_are_sealed(owner: Client, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: list[str] = []

    def sealing(place: str, position: Any) -> str:
        sealed.append(cursors.encode_cursor(place, position))
        return sealed[-1]

    monkeypatch.setattr(connection, "encode_cursor", sealing)
    page = "{ workspace { apiKeys { totalCount nodes { id } edges { node { id } %s } pageInfo { hasNextPage %s } } } }"
    await owner.ask(page % ("", ""))
    assert sealed == []
    found = (await owner.ask(page % ("cursor", "")))["workspace"]["apiKeys"]
    assert [edge["cursor"] for edge in found["edges"]] == sealed and len(sealed) == len(keys)
    info = (await owner.ask(page % ("", "startCursor endCursor")))["workspace"]["apiKeys"]["pageInfo"]
    assert [info["startCursor"], info["endCursor"]] == sealed[len(keys) :] == [sealed[0], sealed[len(keys) - 1]]
