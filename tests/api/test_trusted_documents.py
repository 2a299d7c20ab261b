"""Published operations run by their digest, and where the operator wants it sessions run nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from app.api.execution.trusted import digest_of, published
from tests.api.conftest import program
from tests.conftest import Team
from tests.support.graphql import Client, operation, operations

SHOW = operation("viewer/show")
OWN = "{ viewer { kind } }"


def by_id(digest: str) -> dict[str, Any]:
    return {"documentId": f"sha256:{digest}"}


def by_extension(digest: str) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}


def test_exactly_the_published_operations_are_known() -> None:
    assert published() == {digest_of(operation(name)): operation(name) for name in operations()}


@pytest.mark.parametrize("named", [by_id, by_extension])
async def test_a_published_operation_runs_by_its_digest(owner: Client, named: Any) -> None:
    whole = (await owner.request(json={"query": SHOW})).json()["data"]
    for digest in (digest_of(SHOW), digest_of(SHOW).upper()):
        answer = await owner.request(json=named(digest))
        assert answer.status_code == 200 and answer.json()["data"] == whole


async def test_its_variables_are_used(owner: Client, team: Team) -> None:
    answer = await owner.request(json=by_id(digest_of(operation("workspaces/show"))) | {"variables": {"workspace": team.slug}})
    assert answer.json()["data"]["workspace"]["slug"] == team.slug


@pytest.mark.parametrize(
    "named", [by_id("0" * 64), by_id("md5:x"), by_id(""), by_extension("0" * 64), {"extensions": {"persistedQuery": 1}}]
)
async def test_any_other_digest_asks_for_the_query(owner: Client, named: dict[str, Any]) -> None:
    answer = await owner.request(json=named)
    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == "PERSISTED_QUERY_NOT_SUPPORTED"
    # And nothing is stored.
    assert (await owner.request(json=named | {"query": OWN})).json()["data"] == {"viewer": {"kind": "USER"}}
    assert "errors" in (await owner.request(json=by_id(digest_of(OWN)))).json()


async def test_a_session_may_run_only_published_operations_where_the_operator_wants_it(team: Team) -> None:
    owner = Client(team.owner, trusted_only=True)
    for allowed in ({"query": SHOW}, by_id(digest_of(SHOW)), by_extension(digest_of(SHOW))):
        assert (await owner.request(json=allowed)).json()["data"]
    for other in (OWN, SHOW + " ", "{ __schema { types { name } } }", "{"):
        answer = await owner.request(json={"query": other})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (403, "UNTRUSTED_DOCUMENT")


async def test_management_keys_may_run_any_operation_also_then(team: Team) -> None:
    key = await program(team.owner, team.slug, "keys.read")
    strict = Client(token=key.token, trusted_only=True)
    assert (await strict.request(json={"query": OWN})).json()["data"] == {"viewer": {"kind": "MANAGEMENT_KEY"}}
