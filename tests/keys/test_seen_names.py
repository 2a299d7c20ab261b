"""A name can be seen, is kept in one form, and is found in whatever form it is asked for."""

from __future__ import annotations

import pytest

from app.errors import ValidationFailed
from app.keys import service as keys
from app.keys.listing import KeyFilter, Window
from app.workspaces.rules import name_fault, plain_name
from tests.conftest import Team, make_key

NOBODY_SEES = ["\u200b", "\u2060\u200d", "\u3164", "\u115f\u1160", "\u2800", "\ufe0f", "\u0301", "\u00ad\u00a0", "\ue000", " \t "]


@pytest.mark.parametrize("name", NOBODY_SEES)
async def test_a_name_that_nobody_can_see_is_refused(team: Team, name: str) -> None:
    fault = name_fault(name, "name", "Give it a name.")
    assert fault is not None and fault.code == "REQUIRED"
    with pytest.raises(ValidationFailed):
        await make_key(team, name)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("\ufeffProduction", "Production"),
        ("Pro\u200bduction\u2060", "Production"),
        ("cafe\u0301", "caf\u00e9"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),  # the joiner is what makes them a family
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("✈️", "✈️"),
    ],
)
def test_what_is_never_seen_is_not_stored_and_what_means_something_is(typed: str, stored: str) -> None:
    assert name_fault(typed, "name", "") is None
    assert plain_name(typed) == stored


async def test_a_search_finds_a_name_in_either_normal_form(team: Team) -> None:
    await make_key(team, "Café der Küche")
    for text in ("café", "cafe\u0301", "KÜCHE", "KU\u0308CHE"):
        page = await keys.page(team.owner, team.slug, Window(10), KeyFilter(search=text))
        assert [key.name for key in page.keys] == ["Café der Küche"], text
