"""A point of the price stands for about as much computing whatever it is paid for."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from app import database
from app.api.documents import Documents
from app.api.price import AT_LEAST, NODE, READINGS, SERIES, SPANS
from app.api.rate import Rates
from app.api.schema import core
from app.clock import DAY, rfc3339
from app.rotations import service as rotations
from tests.conftest import KIND, Team, make_key, make_team
from tests.support.graphql import Client
from tests.support.usage import use

pytestmark = pytest.mark.skipif(KIND != "sqlite", reason="PostgreSQL computes in a process of its own")

KEYS, RUNS, CALLERS, DAYS = 24, 10, 200, 30
# The least of some rounds counts; more are made while anything is above the factor, for what disturbed the first ones.
ROUNDS, MOST_ROUNDS = 3, 15
# How many times what it takes on a plain page a point may take. When this was written it was 0.2 to 2.8 times.
FACTOR = 4

PAGE = "{ workspace { apiKeys(first: %d) { nodes { %s } } } }"
PLAIN = PAGE % (KEYS, "id name prefix status environment { name } permissions { name } createdAt expiresAt lastUsedAt rotateBy")
LISTS = ("apiKeys", "rotations", "members", "invitations", "managementKeys", "auditEvents")
CALLER = "id network lastSeenAt"
# For each field that costs more than itself a query in which it is nearly all there is.
PRICED = {
    "Workspace.usage": "{ workspace { usage(since: MONTH) { totalRequests } } }",
    "Workspace.usage by hours": "{ workspace { usage(since: YESTERDAY, granularity: HOUR) { totalRequests } } }",
    "ApiKey.usage": PAGE % (KEYS, "usage(since: MONTH) { totalRequests }"),
    "ApiKey.usage by hours": PAGE % (10, "usage(since: WEEK, granularity: HOUR) { totalRequests }"),
    "Usage.series": PAGE % (KEYS, "usage(since: MONTH) { series { at total successful failed } }"),
    "ApiKey.unusedPermissions": PAGE % (KEYS, "unusedPermissions { name }"),
    "ApiKey.callers": PAGE % (KEYS, "callers(first: 1) { totalCount }"),
    "ApiKey.callers shown": PAGE % (5, f"callers(first: 100) {{ nodes {{ {CALLER} }} }}"),
    "ApiKey.revocationImpact": PAGE % (KEYS, "revocationImpact { verdict }"),
    "ApiKey.revocationImpact shown": PAGE % (5, f"revocationImpact {{ callers {{ {CALLER} }} }}"),
    "ApiKey.rotation": PAGE % (RUNS, "rotation { state }"),
    "Workspace.rotations": f"{{ workspace {{ rotations(first: {RUNS}) {{ totalCount }} }} }}",
    "Workspace.rotations shown": f"{{ workspace {{ rotations(first: 5) {{ nodes {{ callers {{ {CALLER} }} }} }} }} }}",
    **{f"Workspace.{name} counted": PAGE % (KEYS, f"workspace {{ {name}(first: 1) {{ totalCount }} }}") for name in LISTS},
    "Query.node": "{" + " ".join(f'n{number}: node(id: "RUN") {{ id }}' for number in range(10)) + "}",
}


@dataclass(frozen=True)
class Used:
    """A workspace whose keys all have usage in every hour and as many callers as are kept, and some of them rotate."""

    team: Team
    run: str


@pytest.fixture
async def used(db: None) -> Used:
    team = await make_team(plan="scale_enterprise")
    made = [(await make_key(team, f"Key {number}")).key.id for number in range(KEYS)]
    runs = [(await rotations.start(team.owner, key)).progress.rotation.id for key in made[-RUNS:]]
    await use([row["id"] for row in await database.fetch("SELECT id FROM api_key")], days=DAYS, callers=CALLERS)
    return Used(team, runs[0])


async def computed(client: Client, query: str) -> float:
    """What this process computes for it, in all its threads, in seconds."""
    client.endpoint._rates = Rates()
    began = time.process_time()
    await client.ask(query)
    return time.process_time() - began


def test_every_field_that_costs_more_than_itself_is_measured() -> None:
    assert {name.partition(" ")[0] for name in PRICED} == {*READINGS, *AT_LEAST, *SPANS, SERIES, NODE}


async def test_a_point_takes_nowhere_much_more_computing_than_on_a_plain_page(used: Used) -> None:
    now, documents, client = await database.now(), Documents(core()), Client(used.team.owner)
    values = {
        "MONTH": f'"{rfc3339(now - 29 * DAY)}"',
        "WEEK": f'"{rfc3339(now - 7 * DAY)}"',
        "YESTERDAY": f'"{rfc3339(now - DAY)}"',
        "RUN": used.run,
    }
    queries = {"plain": PLAIN} | PRICED
    for word, value in values.items():
        queries = {name: query.replace(word, value) for name, query in queries.items()}
    prices = {name: documents.bill(it := documents.prepare(query), it.operation(None), {}).cost for name, query in queries.items()}
    rounds: list[dict[str, float]] = []
    while len(rounds) < ROUNDS or (too_dear(rounds) and len(rounds) < MOST_ROUNDS):
        # In turns, so that whatever else the machine does meanwhile falls on all of them alike.
        rounds.append({name: await computed(client, query) / prices[name] for name, query in queries.items()})
    assert too_dear(rounds) == {}


def too_dear(rounds: list[dict[str, float]]) -> dict[str, float]:
    """How many times what a point of the plain page takes one of these takes, where that is too much."""
    point = {name: min(each[name] for each in rounds) for name in rounds[0]}
    times = {name: round(point[name] / point["plain"], 2) for name in PRICED}
    return {name: many for name, many in times.items() if many > FACTOR}
