"""API keys over GraphQL, by the published operations."""

from __future__ import annotations

from app.keys.secret import class_of
from tests.conftest import Team, make_key
from tests.support.graphql import Client

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
