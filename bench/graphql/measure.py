"""How long pages of keys, with ten fields, with their cursors, with their usage, and with their callers, and a new key take
over GraphQL, beside one SQL statement and beside nothing."""

from __future__ import annotations

from typing import Any

from bench import report
from bench.load import Route, post
from bench.place import Place, running

KEYS = 300
PAGE, CREATE = "100 keys with 10 fields", "createApiKey"
EDGES, USED, MET = "100 keys with cursors", "100 keys with 30 days of usage", "50 keys with 10 callers each"
STATEMENT, NOTHING = "the same page by one statement", "Litestar POST that does nothing"
AGAINST = {PAGE: STATEMENT, EDGES: PAGE, USED: PAGE, MET: PAGE, CREATE: NOTHING, STATEMENT: NOTHING}

_FIELDS = "id name prefix status environment { name } permissions { name } createdAt expiresAt lastUsedAt rotateBy"
# The oldest, which have usage and callers; new ones are made meanwhile.
_LIST = (
    "query Page($workspace: String!) { workspace(slug: $workspace) { apiKeys(first: %d, orderBy: {field: CREATED_AT}) { %s } } }"
)
_PAGES = {
    PAGE: _LIST % (100, f"nodes {{ {_FIELDS} }}"),
    EDGES: _LIST % (100, f"edges {{ cursor node {{ {_FIELDS} }} }}"),
    USED: _LIST % (100, "nodes { id usage { totalRequests series { at total } } }"),
    MET: _LIST % (50, "nodes { id callers(first: 10) { totalCount nodes { network lastSeenAt } } }"),
}
_CREATE = """mutation Create($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeyPayload { secret apiKey { id prefix } } ... on Problem { code message } } }"""


def routes(place: Place) -> list[Route]:
    bearer, slug = {"Authorization": f"Bearer {place.sample.management_key}"}, place.sample.workspace
    pages = {name: {"query": query, "variables": {"workspace": slug}} for name, query in _PAGES.items()}
    wanted = {"workspace": slug, "name": "Made by the benchmark", "environment": "production", "permissions": ["pdf.read"]}
    return [
        *(Route(name, [post("/graphql", bearer, page)]) for name, page in pages.items()),
        Route(STATEMENT, [post("/yardstick/page", bearer, {"workspace": slug})]),
        Route(CREATE, [post("/graphql", bearer, {"query": _CREATE, "variables": {"input": wanted}})]),
        Route(NOTHING, [post("/yardstick/post", bearer, {"key": "x"})]),
    ]


def measure(database: str, rounds: int, seconds: int, connections: int) -> dict[str, Any]:
    with running(database, KEYS) as place:
        _require_data(place)
        found = place.load(connections).interleaved(routes(place), rounds, seconds)
    return report.Report(AGAINST).of(database, found)


def main() -> None:
    report.run(str(__doc__), measure, rounds=5, seconds=2, connections=1)


def _require_data(place: Place) -> None:
    """GraphQL says what went wrong with 200: a refusal must not be taken for speed."""
    for route in (route for route in routes(place) if route.name in (*_PAGES, CREATE)):
        answer = place.ask(route.requests[0])
        if b'"errors"' in answer or b'"message"' in answer or b'"id"' not in answer:
            raise SystemExit(f"{route.name}: {answer.decode()}")
