"""Descriptions and labels of keys: what they may contain, and which keys a label finds."""

from __future__ import annotations

import pytest

from app.errors import ValidationFailed
from app.keys import service as keys
from app.keys.filters import KeyFilter
from app.keys.key import KeySettings
from app.keys.labels import MOST_LABELS, is_label
from app.keys.validation import LONGEST_DESCRIPTION
from app.paging import Window
from tests.conftest import Team, make_key
from tests.support.access import seen

SECRET = "fl_live_" + "a1B2" * 9 + "xy"


async def checked(team: Team, **given: object) -> KeySettings:
    fields: dict[str, object] = {"name": "One", "environment": "production", "permissions": ("pdf.read",)} | given
    return await keys.check(team.owner, team.slug, KeySettings(**fields))  # type: ignore[arg-type]


async def faults(team: Team, **given: object) -> list[tuple[str, str, int | None]]:
    with pytest.raises(ValidationFailed) as refusal:
        await checked(team, **given)
    assert "a1B2a1B2" not in refusal.value.message
    return [(fault.field, fault.code, fault.index) for fault in refusal.value.fields]


@pytest.mark.parametrize("name", ["team", "Team", "a", "1", "app.kubernetes.io/name", "a_b-c.d/e", "x" * 63])
@pytest.mark.parametrize("value", ["", "payments", "ada@example.com", "2026-11-29T21:10:00+01:00", "v1.2/x_y-z", "-", "x" * 100])
def test_labels_of_kubernetes_addresses_and_times_are_labels(name: str, value: str) -> None:
    assert is_label(name, value)


@pytest.mark.parametrize("name", ["", " ", "-a", "a-", ".a", "a b", "a=b", "ä", "a\n", "x" * 64, "a:b", SECRET])
def test_what_is_no_name_of_a_label(name: str) -> None:
    assert not is_label(name) and not is_label(name, "value")


@pytest.mark.parametrize("value", [" ", "a b", "a=b", "a,b", "ü", "a\n", "x" * 101, SECRET, "\0", "\ud800"])
def test_what_is_no_value_of_a_label(value: str) -> None:
    assert not is_label("team", value)


async def test_labels_are_stored_sorted_each_once_and_a_tag_has_no_value(team: Team) -> None:
    asked = ("team=web", "pci", "env=", "team=web")
    assert (await checked(team, labels=asked)).labels == ("env=", "pci=", "team=web")
    assert (await make_key(team, labels=asked)).key.labels == ("env=", "pci=", "team=web")


async def test_every_fault_of_labels_is_reported_at_its_entry(team: Team) -> None:
    assert await faults(team, labels=("team=web", "a b", "team=jobs", f"key={SECRET}")) == [
        ("labels", "INVALID", 1),
        ("labels", "INVALID", 2),
        ("labels", "INVALID", 3),
    ]
    most = tuple(f"l{number}=x" for number in range(MOST_LABELS))
    assert len((await checked(team, labels=most)).labels) == MOST_LABELS
    assert await faults(team, labels=(*most, "more")) == [("labels", "TOO_MANY", None)]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (None, None),
        ("", None),
        (" \n\t\r\n \u200b ", None),
        ("  Invoices.\r\n\r\n\tAsk\u200b ada. \n", "Invoices.\n\nAsk ada."),
        ("é", "é"),
        ("x" * LONGEST_DESCRIPTION, "x" * LONGEST_DESCRIPTION),
        ("The key fl_live_a1B2… of the shop", "The key fl_live_a1B2… of the shop"),
    ],
)
async def test_a_description_is_stored_in_one_form(team: Team, given: str | None, stored: str | None) -> None:
    assert (await checked(team, description=given)).description == stored


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("x" * (LONGEST_DESCRIPTION + 1), "TOO_LONG"),
        ("a\x1b[31mb", "INVALID"),
        ("a\rb", "INVALID"),
        ("a\u202eb", "INVALID"),
        ("a\u2028b", "INVALID"),
        (f"Its secret is {SECRET}.", "INVALID"),
    ],
)
async def test_a_description_that_breaks_lines_or_contains_a_key_is_refused(team: Team, given: str, code: str) -> None:
    assert await faults(team, description=given) == [("description", code, None)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ((("team", None),), {"Web", "Jobs"}),
        ((("team", "web"),), {"Web"}),
        ((("team", ""),), set()),
        ((("Team", None),), {"Capital"}),
        ((("team", "WEB"),), set()),
        ((("tea", None),), set()),
        ((("eam", None),), set()),
        ((("team", "we"),), set()),
        ((("pci", None),), {"Web"}),
        ((("pci", ""),), {"Web"}),
        ((("pci", "x"),), set()),
        ((("team", None), ("pci", "")), {"Web"}),
        ((("team", "web"), ("team", "jobs")), set()),
        ((), {"Web", "Jobs", "Capital", "None"}),
    ],
)
async def test_a_label_finds_exactly_the_keys_that_have_it(
    team: Team, wanted: tuple[tuple[str, str | None], ...], expected: set[str]
) -> None:
    for name, given in {"Web": ("team=web", "pci"), "Jobs": ("team=jobs", "a_b=1"), "Capital": ("Team=web",), "None": ()}.items():
        await make_key(team, name, labels=given)
    access, filter = await seen(team.viewer, team.slug), KeyFilter(labels=wanted)
    assert {key.name for key in (await keys.page(access, Window(10), filter)).items} == expected
    assert await keys.count(access, filter) == len(expected)


@pytest.mark.parametrize("wanted", [("", None), ("a=b", None), ("a b", None), ("a", "b c"), ("%", None)])
async def test_a_label_that_no_key_can_have_is_refused(team: Team, wanted: tuple[str, str | None]) -> None:
    with pytest.raises(ValidationFailed) as refusal:
        await keys.count(await seen(team.viewer, team.slug), KeyFilter(labels=(("fine", None), wanted)))
    assert [(fault.path, fault.code) for fault in refusal.value.fields] == [(["labels", "1"], "INVALID")]


async def test_the_same_labels_in_another_order_are_the_same_request(team: Team) -> None:
    def asked(description: str, *labels: str) -> KeySettings:
        return KeySettings("One", "production", ("pdf.read",), description=description, labels=labels)

    first = await keys.create(team.owner, team.slug, asked("For the shop", "b=1", "a"), idempotency_key="one")
    again = await keys.create(team.owner, team.slug, asked(" For the shop\r\n", "a=", "b=1", "a"), idempotency_key="one")
    assert (again.key, again.secret) == (first.key, None)
