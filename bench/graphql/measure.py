"""How long pages of keys over GraphQL take (with ten fields, with cursors, with usage, and with callers), and the creation of a
key: compared with their floors (see `floors.py`), with one SQL statement, and with a route that does nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from bench import report
from bench.graphql import floors
from bench.launch import RunningServer, running
from bench.load import Route, post

KEYS = 300
PAGE, CREATE = "100 keys with 10 fields", "createApiKey"
EDGES, USED, MET = "100 keys with cursors", "100 keys with 30 days of usage", "50 keys with 10 callers each"
STATEMENT, NOTHING = "the same page by one statement", "Litestar POST that does nothing"
PAGE_FLOOR, CREATE_FLOOR = "floor of 100 keys", "floor of createApiKey"
AGAINST = {PAGE: STATEMENT, EDGES: PAGE, USED: PAGE, MET: PAGE, CREATE: NOTHING, STATEMENT: NOTHING}
FLOORS = {PAGE: PAGE_FLOOR, CREATE: CREATE_FLOOR}
# The maximum CPU time of a request, as a multiple of its floor's.
MOST = {PAGE: 1.3, CREATE: 1.5}

# The oldest keys, which have usage and callers; the benchmark adds new ones meanwhile.
_LIST = (
    "query Page($workspace: String!) { workspace(slug: $workspace) { apiKeys(first: %d, orderBy: {field: CREATED_AT}) { %s } } }"
)
_PAGES = {
    PAGE: _LIST % (100, f"nodes {{ {floors.FIELDS} }}"),
    EDGES: _LIST % (100, f"edges {{ cursor node {{ {floors.FIELDS} }} }}"),
    USED: _LIST % (100, "nodes { id usage { totalRequests series { at total } } }"),
    MET: _LIST % (50, "nodes { id callers(first: 10) { totalCount nodes { network lastSeenAt } } }"),
}


def routes(server: RunningServer) -> list[Route]:
    bearer, slug = {"Authorization": f"Bearer {server.sample.management_key}"}, server.sample.workspace
    pages = {name: {"query": query, "variables": {"workspace": slug}} for name, query in _PAGES.items()}
    wanted = {"workspace": slug, "name": floors.MADE, "environment": "production", "permissions": ["pdf.read"]}
    create = {"query": floors.CREATE, "variables": {"input": wanted}}

    @contextlib.contextmanager
    def few() -> Iterator[None]:
        server.send(post(f"{floors.PREFIX}forget", {}, {}))
        yield

    return [
        *(Route(name, [post("/graphql", bearer, page)]) for name, page in pages.items()),
        Route(PAGE_FLOOR, [post(f"{floors.PREFIX}page", bearer, pages[PAGE])]),
        Route(STATEMENT, [post("/baseline/page", bearer, {"workspace": slug})]),
        Route(CREATE, [post("/graphql", bearer, create)], beside=few),
        Route(CREATE_FLOOR, [post(f"{floors.PREFIX}create", bearer, create)], beside=few),
        Route(NOTHING, [post("/baseline/post", bearer, {"key": "x"})]),
    ]


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS) as server:
        _require_data(server)
        found = server.load(connections).interleaved(routes(server), rounds, seconds)
    return report.Report(AGAINST, floors=FLOORS, most=MOST).of(database, found)


def main() -> None:
    report.run(str(__doc__), measure, rounds=5, seconds=2, connections=1)


def _require_data(server: RunningServer) -> None:
    """Raises SystemExit if an answer is an error: GraphQL reports errors with status 200, and a refusal is fast."""
    for route in (route for route in routes(server) if route.name in (*_PAGES, PAGE_FLOOR, CREATE, CREATE_FLOOR)):
        answer = server.send(route.requests[0])
        if b'"errors"' in answer or b'"message"' in answer or b'"id"' not in answer:
            raise SystemExit(f"{route.name}: {answer.decode()}")
