"""What callers may ask for in a time: known to them before they are refused, and nobody pays for another."""

from __future__ import annotations

import re

import pytest

from app.access.actor import Actor
from app.api import endpoint, rate
from app.api.http import Refused
from app.api.price import BUDGET
from app.api.rate import CALLER, LEAST, WORKSPACE, Rates
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client

CHEAP = "{ viewer { kind } }"


def key(name: str, workspace: str = "wsp_1") -> Actor:
    return Actor(rate.Actor.operator().kind, name, name, workspace_id=workspace)


async def test_every_answer_says_what_it_cost_and_what_is_left(owner: Client) -> None:
    answers = [await owner.send(CHEAP) for _ in range(2)]
    assert [answer.json()["extensions"]["cost"] for answer in answers] == [{"requested": 2, "limit": BUDGET}] * 2
    assert answers[0].headers["ratelimit"] == f'"caller";r={CALLER.size - LEAST};t=1'
    assert answers[1].headers["ratelimit-policy"] == f'"caller";q={CALLER.size};w={CALLER.window}'
    assert re.fullmatch(r'"caller";r=\d+;t=1', answers[1].headers["ratelimit"])


async def test_who_has_spent_all_is_refused_until_it_is_restored_and_nobody_else_is(
    owner: Client, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1_000.0
    owner.endpoint._rates = Rates(lambda: clock)
    monkeypatch.setattr(rate, "LEAST", CALLER.size)
    assert (await owner.send(CHEAP)).status_code == 200
    refused = await owner.send(CHEAP)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(CALLER.window))
    assert refused.headers["ratelimit"] == f'"caller";r=0;t={CALLER.window}'
    assert refused.json()["errors"][0]["extensions"]["code"] == "TOO_MANY_REQUESTS" and "data" not in refused.json()
    other = await program(team.owner, team.slug, "keys.read")
    other.endpoint = owner.endpoint
    assert (await other.send(CHEAP)).status_code == 200
    clock += CALLER.window
    assert (await owner.send(CHEAP)).status_code == 200


async def test_a_refusal_for_points_waits_so_that_asking_on_at_once_costs_little(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    class Sleeping:
        @staticmethod
        async def sleep(seconds: float) -> None:
            waited.append(seconds)

    monkeypatch.setattr(endpoint, "asyncio", Sleeping)
    monkeypatch.setattr(rate, "LEAST", CALLER.size)
    assert [(await owner.send(CHEAP)).status_code, waited] == [200, []]
    assert [(await owner.send(CHEAP)).status_code, waited] == [429, [endpoint.REFUSAL_SECONDS]]


def test_many_keys_of_one_workspace_have_one_bucket_together_and_another_workspace_its_own() -> None:
    rates = Rates(lambda: 0.0)
    spent = 0
    with pytest.raises(Refused) as refusal:
        for number in range(1_000):
            spent += rates.spend(key(f"mky_{number}"), BUDGET).cost
    assert spent == WORKSPACE.size
    assert refusal.value.headers["ratelimit"].startswith('"workspace";r=0;')
    assert rates.spend(key("mky_0", "wsp_2"), BUDGET).remaining > 0


def test_buckets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "MOST_BUCKETS", 10)
    rates = Rates(lambda: 0.0)
    for number in range(100):
        rates.spend(key(f"mky_{number}", f"wsp_{number}"), 1)
    assert len(rates._buckets) == 10


async def test_variables_that_are_refused_cost_no_more_than_being_asked(owner: Client, team: Team) -> None:
    query = "query($first: Int!) { workspace { apiKeys(first: $first) { nodes { id name callers { totalCount } } } } }"
    for _ in range(2):
        answer = await owner.send(query, {"first": "many"})
        assert "data" not in answer.json()
    fine = await owner.send(query, {"first": 1})
    left = int(re.findall(r"r=(\d+)", fine.headers["ratelimit"])[0])
    assert left >= CALLER.size - 2 * LEAST - fine.json()["extensions"]["cost"]["requested"]


@pytest.mark.parametrize(
    ("query", "cost"),
    [
        ("{", LEAST),
        ("{ nothing }", LEAST),
        ("{ viewer { kind } } # " + "x" * 3_000 + "\n{", 30),
        ("{" + "x" * 60_000 + "}", 600),
        ("{ workspace { managementKeys { totalCount } } }", LEAST),
    ],
    ids=["syntax", "validation", "long", "longest", "scope"],
)
async def test_a_document_that_is_refused_before_it_runs_costs_next_to_nothing_and_a_flood_of_them_ends(
    team: Team, query: str, cost: int
) -> None:
    caller = await program(team.owner, team.slug, "keys.read")
    caller.endpoint._rates = Rates(lambda: 0.0)
    answer = await caller.send(query)
    assert (answer.status_code, list(answer.json())) == (200, ["errors"])
    assert answer.headers["ratelimit"].startswith(f'"caller";r={CALLER.size - cost};')
    (bucket,) = [name for name in caller.endpoint._rates._buckets if name[0] == "caller"]
    caller.endpoint._rates._buckets[bucket] = (cost + LEAST - 1, 0.0)
    assert "data" not in (await caller.send(query)).json()
    caller.endpoint._documents = None  # type: ignore[assignment]  # it is not looked at any more
    refused = await caller.send(query)
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "TOO_MANY_REQUESTS")
