"""Rotations over GraphQL, by the published operations."""

from __future__ import annotations

from typing import Any

import pytest

from app import database, ids
from app.api.execution.cost import BUDGET
from app.api.execution.documents import Documents
from app.api.schema import core
from app.clock import DAY, HOUR, rfc3339
from app.keys import service as keys
from app.keys.key import API_KEY_ID, Reason
from app.rotations import service as rotations
from app.usage.caller import CALLER_ID
from tests.api.conftest import program
from tests.conftest import Team, make_key, make_team
from tests.support.callers import use
from tests.support.graphql import Client, operation
from tests.support.statements import counted

LISTED = """
query Listed($first: Int!) {
  workspace {
    apiKeys(first: $first) {
      nodes {
        id status rotation { id state deadline readyAt predecessor { id } successor { id status } }
        predecessor { id } successor { id name } revocationImpact { verdict lastHour lastDay last30Days }
        callers(first: 5) { totalCount nodes { id network moved } }
      }
    }
  }
}
"""


async def begin(client: Client, key_id: str, **more: Any) -> Any:
    started = await client.change("rotations/start", id=key_id, **more)
    assert "rotation" in started, started
    return started


async def test_a_free_workspace_rotates_its_only_key_with_a_management_key(db: None) -> None:
    team = await make_team("small", plan="free")
    old = (await make_key(team)).key
    await use(old.id, user_agent="node/22", at=await database.now() - 2 * HOUR)
    ci = await program(team.owner, team.slug, "keys.write")
    started = await begin(ci, old.id, quietPeriodSeconds=3600, idempotencyKey="deploy-7")
    run, new = started["rotation"], started["apiKey"]
    assert started["secret"].startswith(new["prefix"])
    assert (run["state"], run["predecessor"]["id"], run["successor"]["id"]) == ("ISSUED", old.id, new["id"])
    (left,) = run["callers"]
    assert (left["network"], left["userAgent"], left["moved"]) == ("203.0.113.0/24", "node", False)

    refused = await ci.change("rotations/complete", id=run["id"])
    assert refused["code"] == "ROTATION_NOT_READY"
    assert [caller["id"] for caller in refused["callers"]] == [left["id"]]
    await use(new["id"], user_agent="node/22")
    shown = await ci.run("rotations/show", id=run["id"])
    assert (shown["state"], shown["callers"][0]["moved"]) == ("READY", True)
    done = (await ci.change("rotations/complete", id=run["id"]))["rotation"]
    assert (done["state"], done["predecessor"]["status"], done["successor"]["status"]) == ("COMPLETED", "REVOKED", "ACTIVE")
    assert (await ci.change("rotations/complete", id=run["id"]))["rotation"] == done
    limit = (await Client(team.owner).ask("{workspace{apiKeyLimit{limit used rotating remaining}}}"))["workspace"]["apiKeyLimit"]
    assert limit == {"limit": 1, "used": 1, "rotating": 0, "remaining": 0}


async def test_after_a_lost_answer_the_request_can_be_repeated(editor: Client, team: Team) -> None:
    key = (await make_key(team)).key
    one, early = [await begin(editor, key.id, idempotencyKey="once") for _ in range(2)]
    assert (early["secret"], early["apiKey"]["id"], early["retryAfter"] in range(1, 31)) == (None, one["apiKey"]["id"], True)
    two = await begin(editor, key.id, idempotencyKey="once", replaceUnused=True)
    assert one["rotation"]["id"] == two["rotation"]["id"] and one["apiKey"]["id"] != two["apiKey"]["id"]
    assert two["secret"] and two["secret"] != one["secret"]
    await use(two["apiKey"]["id"])
    again = await begin(editor, key.id, idempotencyKey="once")
    assert (again["secret"], again["apiKey"]["id"]) == (None, two["apiKey"]["id"])
    for other in ({}, {"idempotencyKey": "once", "quietPeriodSeconds": 7}):
        assert (await editor.change("rotations/start", id=key.id, **other))["code"] == "CONFLICT"


async def test_a_key_that_cannot_be_rotated_is_refused_with_the_reason(editor: Client, team: Team) -> None:
    key, other = (await make_key(team)).key, (await make_key(team)).key
    await keys.suspend(team.owner, key.id)
    refused = await editor.change("rotations/start", id=key.id)
    assert (refused["code"], "suspended" in refused["message"]) == ("CONFLICT", True)
    faults = await editor.change("rotations/start", id=other.id, deadline="2020-01-01T00:00:00Z", quietPeriodSeconds=-1)
    assert [(fault["field"], fault["code"]) for fault in faults["fields"]] == [
        ("deadline", "IN_THE_PAST"),
        ("quietPeriodSeconds", "OUT_OF_RANGE"),
    ]
    assert (await editor.change("rotations/start", id=ids.new(API_KEY_ID)))["code"] == "NOT_FOUND"


async def test_cancelling_extending_dismissing_and_restoring(editor: Client, team: Team) -> None:
    old = (await make_key(team)).key
    await use(old.id, user_agent="nagios/1")
    run = (await begin(editor, old.id))["rotation"]
    later = rfc3339(await database.now() + 20 * DAY)
    extended = (await editor.change("rotations/extend", id=run["id"], deadline=later))["rotation"]
    assert (extended["deadline"], extended["deadlinePassed"]) == (later, False)
    too_late = await editor.change("rotations/extend", id=run["id"], deadline=rfc3339(await database.now() + 31 * DAY))
    assert [(fault["field"], fault["code"]) for fault in too_late["fields"]] == [("deadline", "TOO_LATE")]
    (caller,) = run["callers"]
    dismissed = (await editor.change("rotations/dismiss", rotation=run["id"], caller=caller["id"]))["rotation"]
    assert [item["dismissed"] for item in dismissed["callers"]] == [True]
    assert (await editor.change("rotations/dismiss", rotation=run["id"], caller=ids.new(CALLER_ID)))["code"] == "NOT_FOUND"
    restored = (await editor.change("rotations/restore", rotation=run["id"], caller=caller["id"]))["rotation"]
    assert [item["dismissed"] for item in restored["callers"]] == [False]
    await use(run["successor"]["id"])
    assert (await editor.change("rotations/cancel", id=run["id"]))["code"] == "CONFLICT"
    gone = (await editor.change("rotations/cancel", id=run["id"], force=True))["rotation"]
    assert (gone["state"], gone["predecessor"]["status"], gone["successor"]["status"]) == ("CANCELLED", "ACTIVE", "REVOKED")


async def test_a_keys_lineage_and_its_callers_are_returned(editor: Client, viewer: Client, team: Team) -> None:
    first = (await make_key(team)).key
    for address, agent in (("203.0.113.9", "node/1"), (None, "node/1"), ("198.51.100.1", None)):
        await use(first.id, address, agent)
    second = (await begin(editor, first.id))["apiKey"]["id"]
    await use(second, "203.0.113.200", "node/2")
    line = await viewer.run("keys/lineage", id=first.id)
    assert (line["predecessor"], line["successor"]["id"], line["rotation"]["state"]) == (None, second, "DRAINING")
    line = await viewer.run("keys/lineage", id=second)
    assert (line["predecessor"]["id"], line["successor"]) == (first.id, None)
    page = (await viewer.run("keys/callers", id=first.id, first=2))["callers"]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"], len(page["nodes"])) == (3, True, 2)
    rest = (await viewer.run("keys/callers", id=first.id, first=2, after=page["pageInfo"]["endCursor"]))["callers"]
    told = [*page["nodes"], *rest["nodes"]]
    assert [(caller["network"], caller["userAgent"], caller["moved"]) for caller in told] == [
        ("198.51.100.0/24", None, False),
        (None, "node", False),
        ("203.0.113.0/24", "node", True),
    ]
    node = await viewer.ask("query($id:ID!){node(id:$id){id ...on Caller{network moved requests}}}", id=told[2]["id"])
    assert node["node"] == {"id": told[2]["id"], "network": "203.0.113.0/24", "moved": True, "requests": 1}


async def test_the_impact_of_a_revocation_is_returned_beforehand(viewer: Client, team: Team) -> None:
    key = (await make_key(team)).key
    quiet = (await viewer.run("keys/impact", id=key.id))["revocationImpact"]
    assert quiet == {"verdict": "QUIET", "lastHour": 0, "lastDay": 0, "last30Days": 0, "permissions": [], "callers": []}
    await use(key.id)
    busy = (await viewer.run("keys/impact", id=key.id))["revocationImpact"]
    assert (busy["verdict"], [caller["userAgent"] for caller in busy["callers"]]) == ("BUSY", ["curl"])


async def test_rotations_are_listed_newest_first_and_another_workspaces_are_not(
    editor: Client, stranger: Client, team: Team
) -> None:
    made = [(await begin(editor, (await make_key(team)).key.id))["rotation"]["id"] for _ in range(3)]
    await rotations.cancel(team.editor, made[1])
    page = (await editor.run("rotations/list", first=2))["rotations"]
    rest = (await editor.run("rotations/list", first=2, after=page["pageInfo"]["endCursor"]))["rotations"]
    assert [run["id"] for run in [*page["nodes"], *rest["nodes"]]] == made[::-1]
    assert page["totalCount"] == 3
    still = (await editor.run("rotations/list", openOnly=True))["rotations"]
    assert ([run["id"] for run in still["nodes"]], still["totalCount"]) == ([made[2], made[0]], 2)
    assert await stranger.run("rotations/show", id=made[0]) is None
    for name in ("complete", "cancel"):
        assert (await stranger.change(f"rotations/{name}", id=made[0], force=True))["code"] == "NOT_FOUND"
    assert await stranger.ask("query($i:ID!){node(id:$i){id}}", i=ids.new(CALLER_ID)) == {"node": None}


@pytest.mark.parametrize(
    ("days", "expected"),
    [(75, {"NOT_DUE"}), (76, {"DUE_SOON"}), (89, {"DUE_SOON"}), (90, {"OVERDUE"})],
)
async def test_keys_are_filtered_by_their_rotation_schedule(viewer: Client, team: Team, days: int, expected: set[str]) -> None:
    born = await database.now()
    database.freeze(born)
    wanted = (await make_key(team)).key.id
    slower = (await make_key(team, environment="development")).key.id
    gone = (await make_key(team)).key.id
    await keys.revoke(team.owner, gone, Reason.OTHER)
    database.freeze(born + days * DAY)
    for due in ("NOT_DUE", "DUE_SOON", "OVERDUE"):
        found = (await viewer.run("keys/list", filter={"rotation": [due]}, orderBy={"field": "ROTATE_BY"}))["apiKeys"]
        calm = {slower, gone} if due == "NOT_DUE" else set()
        assert {key["id"] for key in found["nodes"]} == calm | ({wanted} if due in expected else set())
        assert found["totalCount"] == len(found["nodes"])
    every = await viewer.run("keys/list", filter={"rotation": ["NOT_DUE", "DUE_SOON", "OVERDUE"]}, orderBy={"field": "ROTATE_BY"})
    assert [key["id"] for key in every["apiKeys"]["nodes"]] == [wanted, slower, gone]


async def test_a_page_of_20_keys_with_their_rotations_takes_as_many_statements_as_one_of_5(db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    for number in range(50):
        key = (await make_key(team, f"Key {number}")).key
        run = (await rotations.start(team.editor, key.id)).progress
        await use(key.id)
        if number % 3 == 0:
            await rotations.cancel(team.editor, run.rotation.id)
    owner, spent = Client(team.owner), []
    for first in (5, 20):
        with counted() as statements:
            found = await owner.ask(LISTED, first=first)
        nodes = found["workspace"]["apiKeys"]["nodes"]
        assert len(nodes) == first and all(node["rotation"] for node in nodes)
        spent.append(len(statements))
    assert spent[0] == spent[1] <= 40


async def test_a_page_of_rotations_takes_the_same_number_of_statements_at_any_length(team: Team) -> None:
    owner, spent = Client(team.owner), []
    for _ in range(2):
        for _ in range(4):
            await rotations.start(team.editor, (await make_key(team)).key.id)
        with counted() as statements:
            await owner.run("rotations/list")
        spent.append(len(statements))
    assert spent[0] == spent[1]


async def test_later_parts_of_a_document_show_its_earlier_changes(editor: Client, team: Team) -> None:
    key = (await make_key(team)).key
    run = (await begin(editor, key.id))["rotation"]["id"]
    state = "rotation{id state predecessor{status rotation{state}}}"
    query = f"""mutation($r:ID!) {{
      a: extendRotation(input:{{id:$r, deadline:"{rfc3339(await database.now() + 20 * DAY)}"}}) {{
        ...on ExtendRotationPayload {{ {state} }} }}
      b: completeRotation(input:{{id:$r, force:true}}) {{ ...on CompleteRotationPayload {{ {state} }} }}
    }}"""
    answer = await editor.ask(query, r=run)
    assert answer["a"]["rotation"]["predecessor"] == {"status": "ACTIVE", "rotation": {"state": "ISSUED"}}
    assert answer["b"]["rotation"]["predecessor"] == {"status": "REVOKED", "rotation": {"state": "COMPLETED"}}


def test_a_page_of_20_rotations_with_all_their_callers_is_within_the_maximum_cost() -> None:
    documents = Documents(core())
    text = operation("rotations/list").replace("successor {", "callers { id network userAgent moved dismissed } successor {")
    document = documents.prepare(text)
    assert not document.errors
    assert documents.cost_of(document, document.operation(None), {"first": 20}).cost <= BUDGET
