"""Rate limits: shown to callers before they are refused, and no caller uses up another's points."""

from __future__ import annotations

import re

import httpx
import pytest

from app.access.actor import Actor
from app.api.execution import rate
from app.api.execution.cost import BUDGET
from app.api.execution.documents import Document
from app.api.execution.http import Refused
from app.api.execution.rate import CALLER, LEAST, WORKSPACE, Rates
from app.api.server import endpoint
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client

CHEAP = "{ viewer { kind } }"


def key(name: str, workspace: str = "wsp_1") -> Actor:
    return Actor(rate.Actor.operator().kind, name, name, workspace_id=workspace)


@pytest.fixture
async def remembered(owner: Client) -> None:
    """Prepares the document CHEAP in advance, because its first sender pays for that."""
    await owner.send(CHEAP)
    owner.endpoint.operations._rates = Rates()


async def test_every_answer_shows_its_cost_and_the_points_left(owner: Client, remembered: None) -> None:
    answers = [await owner.send(CHEAP) for _ in range(2)]
    assert [answer.json()["extensions"]["cost"] for answer in answers] == [{"requested": 2, "limit": BUDGET}] * 2
    assert answers[0].headers["ratelimit"] == f'"caller";r={CALLER.size - LEAST};t=1'
    assert answers[1].headers["ratelimit-policy"] == f'"caller";q={CALLER.size};w={CALLER.window}'
    assert re.fullmatch(r'"caller";r=\d+;t=1', answers[1].headers["ratelimit"])


async def test_a_caller_without_points_is_refused_until_they_are_regained_and_others_are_not(
    owner: Client, remembered: None, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1_000.0
    owner.endpoint.operations._rates = Rates(lambda: clock)
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


async def test_a_rate_limit_refusal_is_delayed_so_that_immediate_retries_cost_little(
    owner: Client, remembered: None, monkeypatch: pytest.MonkeyPatch
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


def test_all_keys_of_a_workspace_share_one_bucket_and_another_workspace_has_its_own() -> None:
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


async def test_refused_variables_cost_no_more_than_a_refused_document(owner: Client, team: Team) -> None:
    query = "query($first: Int!) { workspace { apiKeys(first: $first) { nodes { id name callers { totalCount } } } } }"
    await owner.send(query, {"first": 1})
    owner.endpoint.operations._rates = Rates(lambda: 0.0)
    for _ in range(2):
        answer = await owner.send(query, {"first": "many"})
        assert "data" not in answer.json()
    fine = await owner.send(query, {"first": 1})
    assert left(fine) == CALLER.size - 2 * LEAST - fine.json()["extensions"]["cost"]["requested"]


def left(answer: httpx.Response) -> int:
    return int(re.findall(r"r=(\d+)", answer.headers["ratelimit"])[0])


async def test_the_first_sender_of_a_document_pays_for_preparing_it(owner: Client, remembered: None) -> None:
    owner.endpoint.operations._rates = Rates(lambda: 0.0)
    before = left(await owner.send(CHEAP))
    await owner.send("{ " + " ".join(f"a{number}: viewer {{ kind name id }}" for number in range(10)) + " }")
    paid = before - left(await owner.send(CHEAP)) - LEAST - 40
    assert paid > 50
    # Prepared by now, and not evicted from the cache.
    await owner.send("{ " + " ".join(f"a{number}: viewer {{ kind name id }}" for number in range(10)) + " }")
    assert before - left(await owner.send(CHEAP)) - paid <= 3 * (LEAST + 40)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{ viewer { kind } } #{}" + "x" * 50_000, id="ignored text"),
        pytest.param('{ workspace(slug: "{}' + "x" * 50_000 + '") { id } }', id="long string"),
        pytest.param("{ nothing{} " + "{ deeper " * 500 + "}" * 501, id="refused"),
        pytest.param('{ workspace(slug: "{}\\u0000") { id } }' + "#" + "x" * 50_000, id="refused with a NUL"),
    ],
)
async def test_a_caller_that_sends_only_new_documents_is_refused_before_they_are_parsed(owner: Client, text: str) -> None:
    """Even if each operation is cheap, because preparing each new text takes CPU time."""
    owner.endpoint.operations._rates = Rates(lambda: 0.0)
    owner.endpoint.operations._rates.charge(owner.actor, CALLER.size - 500)
    for number in range(1_000):
        if (await owner.send(text.replace("{}", str(number), 1))).status_code == 429:
            break
    else:
        raise AssertionError("nobody was refused")
    read = monitored(owner)
    assert (await owner.send(text.replace("{}", "another", 1))).status_code == 429
    assert read == []


def monitored(owner: Client) -> list[str]:
    """Records the texts that are prepared from now on."""
    read: list[str] = []
    prepare = owner.endpoint.operations._documents.prepared

    async def prepared(text: str) -> tuple[Document, float]:
        read.append(text)
        return await prepare(text)

    owner.endpoint.operations._documents.prepared = prepared  # type: ignore[method-assign]
    return read


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("{", id="syntax"),
        pytest.param("{ nothing }", id="validation"),
        pytest.param("{" + "x" * 60_000 + "}", id="long"),
        pytest.param("{ workspace { managementKeys { totalCount } } }", id="scope"),
    ],
)
async def test_a_document_that_is_refused_before_it_runs_costs_little_and_a_flood_of_them_ends(team: Team, query: str) -> None:
    caller = await program(team.owner, team.slug, "keys.read")
    await caller.send(query)
    caller.endpoint.operations._rates = Rates(lambda: 0.0)
    answer = await caller.send(query)
    assert (answer.status_code, list(answer.json())) == (200, ["errors"])
    assert left(answer) == CALLER.size - LEAST
    for bucket in caller.endpoint.operations._rates._buckets:
        caller.endpoint.operations._rates._buckets[bucket] = (2 * LEAST - 1, 0.0)
    assert "data" not in (await caller.send(query)).json()
    read = monitored(caller)
    refused = await caller.send(query)
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (429, "TOO_MANY_REQUESTS")
    assert read == []
