"""Fields of a change: an omitted field is kept; null clears or is refused, and is never ignored."""

from __future__ import annotations

from typing import Any, Final

import pytest
from graphql import GraphQLInputObjectType, is_non_null_type

from app import database
from app.api import schema as published
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import KeySettings
from app.tenancy.workspace import BusinessHours
from app.workspaces import service as workspaces
from tests.conftest import Team
from tests.support.graphql import Client

REFUSED: Final = "refused"
# Field, the effect of null, an empty value, and its effect: the new value, or REFUSED.
KEY: Final[tuple[tuple[str, Any, Any, Any], ...]] = (
    ("name", REFUSED, "", REFUSED),
    ("permissions", REFUSED, [], REFUSED),
    ("allowedIps", [], [], []),
    ("description", None, "", None),
    ("labels", [], [], []),
    ("owner", None, "", REFUSED),
    ("expiresAt", None, None, None),
)
WORKSPACE: Final[tuple[tuple[str, Any, Any, Any], ...]] = (
    ("name", REFUSED, "", REFUSED),
    ("timezone", REFUSED, "", REFUSED),
    ("logsRequests", REFUSED, False, False),
    ("businessHours", None, {"days": [], "opens": "08:00", "closes": "18:00"}, REFUSED),
)
SHOW_KEY: Final = """query($id: ID!) {
  node(id: $id) {
    ... on ApiKey { name permissions { name } allowedIps description labels { name value } owner { userId } expiresAt }
  }
}"""
SHOW_WORKSPACE: Final = "{ workspace { name timezone logsRequests businessHours { days opens closes } } }"


def given(table: tuple[tuple[str, Any, Any, Any], ...]) -> list[Any]:
    """Each field once with null and once with its empty value."""
    nulls = [pytest.param(field, None, expected, id=f"{field}-null") for field, expected, _, _ in table]
    return nulls + [pytest.param(field, empty, expected, id=f"{field}-empty") for field, _, empty, expected in table]


@pytest.mark.parametrize(("kind", "table"), [("UpdateApiKeyInput", KEY), ("UpdateWorkspaceInput", WORKSPACE)])
def test_the_table_has_every_field_that_can_be_null(kind: str, table: tuple[tuple[str, Any, Any, Any], ...]) -> None:
    found = published.core().type_map[kind]
    assert isinstance(found, GraphQLInputObjectType)
    nullable = {name for name, field in found.fields.items() if not is_non_null_type(field.type)}
    assert nullable - {"workspace", "expectedRevision"} == {row[0] for row in table}


@pytest.mark.parametrize(("field", "value", "expected"), given(KEY))
async def test_a_field_of_a_key_is_kept_cleared_or_refused(
    owner: Client, team: Team, field: str, value: Any, expected: Any
) -> None:
    asked = KeySettings(
        "Full", "production", ("pdf.read",), await database.now() + 30 * DAY, ("203.0.113.0/24",), "Its use", ("team=web",)
    )
    key = (await keys.create(team.owner, team.slug, asked)).key
    before = (await owner.ask(SHOW_KEY, id=key.id))["node"]
    await owner.change("keys/update", id=key.id)
    assert (await owner.ask(SHOW_KEY, id=key.id))["node"] == before

    answer = await owner.change("keys/update", id=key.id, **{field: value})
    after = (await owner.ask(SHOW_KEY, id=key.id))["node"]
    _check(answer, field, expected, before, after)


@pytest.mark.parametrize(("field", "value", "expected"), given(WORKSPACE))
async def test_a_field_of_a_workspace_is_kept_cleared_or_refused(
    owner: Client, team: Team, field: str, value: Any, expected: Any
) -> None:
    hours = BusinessHours(("MONDAY",), "08:00", "18:00")
    await workspaces.update(team.owner, team.slug, timezone="Europe/Berlin", business_hours=hours)
    before = (await owner.ask(SHOW_WORKSPACE))["workspace"]
    await owner.change("workspaces/update")
    assert (await owner.ask(SHOW_WORKSPACE))["workspace"] == before

    answer = await owner.change("workspaces/update", **{field: value})
    _check(answer, field, expected, before, (await owner.ask(SHOW_WORKSPACE))["workspace"])


async def test_several_nulls_are_refused_together(owner: Client, team: Team) -> None:
    key = (await keys.create(team.owner, team.slug, KeySettings("Full", "production", ("pdf.read",)))).key
    answer = await owner.change("keys/update", id=key.id, name=None, permissions=None)
    assert [(fault["field"], fault["code"]) for fault in answer["fields"]] == [("name", "REQUIRED"), ("permissions", "REQUIRED")]


def _check(answer: Any, field: str, expected: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    if expected == REFUSED:
        assert answer["code"] == "VALIDATION_FAILED" and {fault["field"].split(".")[0] for fault in answer["fields"]} == {field}
        assert after == before
    else:
        assert after == before | {field: expected} and before[field] != expected
