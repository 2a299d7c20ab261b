"""Names are visible, stored in one Unicode form, and found in any form."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import database
from app.access.actor import Actor
from app.clock import DAY
from app.errors import ValidationFailed
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.names import name_fault, plain_name
from app.paging import Window
from tests.conftest import Team, make_key
from tests.support.access import seen

NOBODY_SEES = ["\u200b", "\u2060\u200d", "\u3164", "\u115f\u1160", "\u2800", "\ufe0f", "\u0301", "\u00ad\u00a0", "\ue000", " \t "]


@pytest.mark.parametrize("name", NOBODY_SEES)
async def test_an_invisible_name_is_refused(team: Team, name: str) -> None:
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
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),  # the joiner makes them a family emoji
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("✈️", "✈️"),
        ("1\ufe0f\u20e3", "1\ufe0f\u20e3"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
        ("क्\u200dष", "क्\u200dष"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("🐻\u200d❄️", "🐻\u200d❄️"),
        ("\u200eCI\u200f", "CI"),
        ("C\u2063I", "CI"),
        ("CI\u034f", "CI"),
        ("CI\U000e0041", "CI"),
        ("C\u200dI\u200d", "CI"),
        ("C\u200cI", "CI"),
        ("CI\ufe0f", "CI"),
        ("CI1\ufe0f", "CI1"),
        ("می\u200c", "می"),
    ],
)
def test_invisible_characters_are_stored_only_if_they_have_a_meaning(typed: str, stored: str) -> None:
    assert name_fault(typed, "name", "") is None
    assert plain_name(typed) == stored


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        st.sampled_from("aé1 中क्می👩🏽❄🏴e\u0301\u200b\u200c\u200d\u2063\ufe0f\u20e3\u034f\U000e0067\U000e0100\u180b\u1820"),
        max_size=8,
    )
)
@example(" \u200c\u094d")
@example("\u200b \u200c\u094d ")
def test_a_name_in_its_stored_form_stays_as_it_is(typed: str) -> None:
    assert plain_name(plain_name(typed)) == plain_name(typed)


async def test_all_names_are_stored_in_this_form_and_found_in_every_other(team: Team) -> None:
    typed, stored, operator = "Cafe\u0301\u200e", "Caf\u00e9", Actor.operator()
    made = (await gateway_tokens.create(operator, typed)).token
    asked = ManagementKeyInput(typed, ("keys.read",), await database.now() + DAY)
    assert made.name == (await management_keys.create(team.owner, team.slug, asked))[0].name == stored
    assert (await gateway_tokens.revoke(operator, "Caf\u2063e\u0301")).id == made.id
    await make_key(team, typed)
    page = await keys.page(await seen(team.owner, team.slug), Window(10), KeyFilter(search="C\u200daf"))
    assert [key.name for key in page.items] == [stored]


async def test_a_search_finds_a_name_in_either_normal_form(team: Team) -> None:
    await make_key(team, "Café der Küche")
    for text in ("café", "cafe\u0301", "KÜCHE", "KU\u0308CHE"):
        page = await keys.page(await seen(team.owner, team.slug), Window(10), KeyFilter(search=text))
        assert [key.name for key in page.items] == ["Café der Küche"], text
