"""The log of a key's requests over GraphQL: pages, filters, explanations, and a request by the id of its answer."""

from __future__ import annotations

from app.keys import service as keys
from app.keys.key import Reason
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client, operation
from tests.support.usage import logged


async def test_requests_of_a_key_are_paged_newest_first_with_their_explanations(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    made = [await logged(key.id, "PERMISSION_DENIED", permission="pdf.delete", rule='{"allowed":["pdf.read"]}') for _ in range(3)]
    first = (await owner.run("requests/list", id=key.id, first=2))["requests"]
    assert first["totalCount"] == 3 and first["pageInfo"]["hasNextPage"]
    rest = (await owner.run("requests/list", id=key.id, first=2, after=first["pageInfo"]["endCursor"]))["requests"]
    found = first["nodes"] + rest["nodes"]
    assert {each["id"] for each in found} == set(made) and [each["at"] for each in found] == sorted(
        (each["at"] for each in found), reverse=True
    )
    assert found[0]["explanation"] == {
        "cause": "The request needed pdf.delete. The key had pdf.read.",
        "fix": "If the program is meant to do this, add pdf.delete to the key.",
        "remedy": "EDIT_KEY",
    }
    assert (found[0]["network"], found[0]["userAgent"], found[0]["accepted"]) == ("203.0.113.0/24", "curl", False)


async def test_filters_and_their_faults(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    good, bad = await logged(key.id), await logged(key.id, "EXPIRED")
    for wanted, expected in (({"accepted": True}, [good]), ({"outcome": ["EXPIRED"]}, [bad]), ({"search": "nothing"}, [])):
        found = (await owner.run("requests/list", id=key.id, filter=wanted))["requests"]
        assert [each["id"] for each in found["nodes"]] == expected and found["totalCount"] == len(expected)
    faults = await owner.refused(operation("requests/list"), id=key.id, filter={"search": "x" * 201})
    assert "at most 200 characters" in str(faults)


async def test_a_request_is_found_by_the_id_of_its_answer(owner: Client, stranger: Client, team: Team) -> None:
    key = (await make_key(team)).key
    made = await logged(key.id, "REVOKED", rule='{"since":1790000000000000}')
    await keys.revoke(team.owner, key.id, Reason.OTHER)
    found = await owner.run("requests/show", id=made)
    assert (found["outcome"], found["apiKey"]["id"]) == ("REVOKED", key.id)
    assert found["explanation"]["cause"].startswith("The key was revoked on Mon 21 Sep 2026")
    assert (await stranger.run("requests/show", id=made)) is None
    assert (await owner.run("requests/show", id="req_" + "a" * 20)) is None


async def test_a_workspace_switches_its_log_off_and_on(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key
    made = await logged(key.id)
    changed = (await owner.change("workspaces/update", logsRequests=False))["workspace"]
    assert changed["logsRequests"] is False
    assert (await owner.run("requests/list", id=key.id))["requests"]["totalCount"] == 0
    assert (await owner.run("requests/show", id=made)) is None


async def test_usage_alone_reads_requests_but_nothing_of_the_key(team: Team) -> None:
    key = (await make_key(team)).key
    made = await logged(key.id, "IP_NOT_ALLOWED", rule='{"allowed":["192.0.2.0/24"]}')
    watcher = await program(team.owner, team.slug, "usage.read")
    found = (await watcher.ask("query($id: ID!) { node(id: $id) { ... on Request { outcome network } } }", id=made))["node"]
    assert found == {"outcome": "IP_NOT_ALLOWED", "network": "203.0.113.0/24"}
    for field in ("explanation { cause }", "apiKey { name }"):
        refused = await watcher.refused(f"query($id: ID!) {{ node(id: $id) {{ ... on Request {{ {field} }} }} }}", id=made)
        assert refused[0]["extensions"]["code"] == "NOT_ALLOWED"
