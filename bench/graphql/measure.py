"""How long a page of 100 keys with ten fields and a new key take over GraphQL, beside one SQL statement and beside nothing."""

from __future__ import annotations

from typing import Any

from bench import report
from bench.load import Route, post
from bench.place import Place, running

KEYS = 300
PAGE, CREATE = "100 keys with 10 fields", "createApiKey"
STATEMENT, NOTHING = "the same page by one statement", "Litestar POST that does nothing"
AGAINST = {PAGE: STATEMENT, CREATE: NOTHING, STATEMENT: NOTHING}

_PAGE = """query Page($workspace: String!) { workspace(slug: $workspace) { apiKeys(first: 100) { nodes {
  id name prefix status environment { name } permissions { name } createdAt expiresAt lastUsedAt rotateBy } } } }"""
_CREATE = """mutation Create($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeyPayload { secret apiKey { id prefix } } ... on Problem { code message } } }"""


def routes(place: Place) -> list[Route]:
    bearer, slug = {"Authorization": f"Bearer {place.sample.management_key}"}, place.sample.workspace
    page = {"query": _PAGE, "variables": {"workspace": slug}}
    wanted = {"workspace": slug, "name": "Made by the benchmark", "environment": "production", "permissions": ["pdf.read"]}
    return [
        Route(PAGE, [post("/graphql", bearer, page)]),
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
    for route in routes(place)[:3:2]:
        answer = place.ask(route.requests[0])
        if b'"errors"' in answer or b'"message"' in answer or b'"id"' not in answer:
            raise SystemExit(f"{route.name}: {answer.decode()}")
