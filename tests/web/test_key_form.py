"""The form for a new API key: its expiry by a click, its summary, and links that open it filled in."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from app import database
from app.clock import DAY, MINUTE
from app.keys import service as keys
from app.keys.key import ApiKey
from app.paging import Window
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.web.conftest import Browser, rows

LIST = "/w/acme/settings/api-keys"
NEW = f"{LIST}/new"
SUMMARY = {"hx-request": "true", "hx-target": "div#summary"}


def faults(browser: Browser) -> dict[str, str]:
    """The messages of the current page by field."""
    return {name: html.unescape(text) for name, text in re.findall(r'<p class="fault" id="(\w+)-fault">(.*?)</p>', browser.page)}


def held(browser: Browser) -> dict[str, list[str]]:
    """What the form of the current page holds, without empty fields."""
    found: dict[str, list[str]] = {}
    for name, text in browser.form(NEW).values:
        if text and name not in ("by", "once", "csrf"):
            found.setdefault(name, []).append(text)
    return found


async def create(browser: Browser, **changes: str | list[str]) -> int:
    """Submits the form as its button does with script."""
    await browser.open(NEW)
    fields: dict[str, str | list[str]] = {"name": "Server", "environment": "production", "permissions": ["pdf.read"]} | changes
    filled = browser.form(NEW).filled(**fields)
    return (await browser.post(NEW, [*filled, *confirmation(browser)], **browser.same_origin_headers)).status_code


def confirmation(browser: Browser) -> Iterator[tuple[str, str]]:
    """What the form adds with script."""
    (values,) = re.findall(r"hx-vals='\{(.*?)\}'", browser.page)
    yield from re.findall(r'"(\w+)": "([^"]*)"', html.unescape(values))


async def only_key(team: Team) -> ApiKey:
    (key,) = (await keys.page(await seen(team.owner, team.slug), Window(5))).items
    return key


@pytest.mark.parametrize(("lifetime", "days"), [("7", 7), ("30", 30), ("90", 90), ("never", None)])
async def test_a_lifetime_is_counted_from_the_creation(editor: Browser, team: Team, lifetime: str, days: int | None) -> None:
    await editor.open(NEW)
    opened = await database.now()
    database.freeze(opened + 10 * MINUTE)
    assert await create(editor, lifetime=lifetime) == 201
    assert (await only_key(team)).expires_at == (None if days is None else opened + 10 * MINUTE + days * DAY)


async def test_a_form_with_a_lifetime_sent_again_later_creates_no_second_key(editor: Browser, team: Team) -> None:
    await editor.open(NEW)
    database.freeze(await database.now())
    filled = editor.form(NEW).filled(name="Server", environment="temporary", permissions=["pdf.read"], lifetime="30")
    sent = [*filled, *confirmation(editor)]
    assert (await editor.post(NEW, sent, **editor.same_origin_headers)).status_code == 201
    database.freeze(await database.now() + 10 * MINUTE)
    assert (await editor.post(NEW, sent, **editor.same_origin_headers)).status_code == 303
    assert await rows("api_key") == 1


async def test_the_form_and_its_review_with_the_same_input_create_one_key(editor: Browser, team: Team) -> None:
    await editor.open(NEW)
    fields = editor.form(NEW).filled(name="Server", environment="production", permissions=["pdf.read"], lifetime="30")
    sent = [*fields, *confirmation(editor)]
    await editor.send(NEW, name="Server", environment="production", permissions=["pdf.read"], lifetime="30", review="yes")
    assert "In 30 days" in editor.page
    review = editor.form(NEW).filled(confirmed="yes")
    assert (await editor.post(NEW, sent, **editor.same_origin_headers)).status_code == 201
    assert (await editor.post(NEW, review, **editor.same_origin_headers)).status_code == 303
    assert await rows("api_key") == 1


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"lifetime": "date"}, "expiresAt", "Enter the date and time"),
        ({"lifetime": "date", "expiresAt": "soon"}, "expiresAt", "This is not a date and time"),
        ({"lifetime": "14"}, "lifetime", "Choose 7, 30 or 90 days"),
        ({"environment": "temporary", "lifetime": "never"}, "expiresAt", "Temporary keys must expire"),
    ],
)
async def test_an_expiry_is_refused_at_its_field_beside_all_other_faults(
    editor: Browser, changes: dict[str, str], field: str, message: str
) -> None:
    assert await create(editor, name=" ", **changes) == 422
    assert set(faults(editor)) == {"name", field} and faults(editor)[field].startswith(message)
    assert await rows("api_key") == 0


async def test_the_date_counts_only_if_it_is_chosen(editor: Browser, team: Team) -> None:
    assert await create(editor, lifetime="never", expiresAt="2020-01-01T00:00") == 201
    assert (await only_key(team)).expires_at is None


async def test_an_edit_keeps_changes_and_removes_the_expiry(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server", expires_at=await database.now() + 40 * DAY)).key
    path = f"{LIST}/{key.id}/edit"
    await editor.open(path)
    assert dict(editor.form(path).values)["lifetime"] == "date"
    assert (await editor.send(path, name="Renamed")).status_code == 303
    assert (await only_key(team)).expires_at == key.expires_at
    await editor.open(path)
    assert (await editor.send(path, lifetime="never")).status_code == 303
    assert (await only_key(team)).expires_at is None
    await editor.open(path)
    assert dict(editor.form(path).values)["lifetime"] == "never"
    assert (await editor.send(path, lifetime="date", expiresAt="")).status_code == 422
    assert (await only_key(team)).expires_at is None


async def test_a_temporary_key_cannot_be_edited_to_live_on(editor: Browser, team: Team) -> None:
    key = (await make_key(team, "Server", environment="temporary", expires_at=await database.now() + 40 * DAY)).key
    path = f"{LIST}/{key.id}/edit"
    await editor.open(path)
    assert 'value="never"' not in editor.page
    assert (await editor.send(path, lifetime="never")).status_code == 422
    assert (await only_key(team)).expires_at == key.expires_at


async def test_the_summary_alone_is_sent_to_the_form_beside_it(editor: Browser, team: Team) -> None:
    await editor.open(NEW)
    filled = editor.form(NEW).filled(name="<Frames>", environment="temporary", permissions=["pdf.read"])
    query = "&".join(f"{name}={text}" for name, text in filled)
    shown = (await editor.open(f"{NEW}?{query}", **SUMMARY)).text
    assert shown.lstrip().startswith("<dl") and "&lt;Frames&gt;" in shown
    assert "Choose when: temporary keys must expire, within 90 days" in shown
    assert f'href="{NEW}?name=%3CFrames%3E&amp;environment=temporary&amp;permissions=pdf.read"' in shown


async def test_a_link_fills_in_the_form_and_creates_nothing(editor: Browser, team: Team) -> None:
    query = (
        "name=Production+server&description=Ask+Ada.&environment=production&permissions=pdf.read,pdf.generate"
        "&lifetime=30&allowedIps=203.0.113.9&allowedIps=2001:db8::/48&labels=team%3Dpayments,pci"
    )
    assert (await editor.open(f"{NEW}?{query}&review=yes&confirmed=yes&once=x")).status_code == 422
    assert "does not have: confirmed." in editor.page
    assert (await editor.open(f"{NEW}?{query}&review=yes&once=x")).status_code == 200
    assert faults(editor) == {} and dict(editor.form(NEW).values)["once"] != "x"
    assert held(editor) == {
        "name": ["Production server"],
        "description": ["Ask Ada."],
        "environment": ["production"],
        "permissions": ["pdf.generate", "pdf.read"],
        "lifetime": ["30"],
        "allowedIps": ["203.0.113.9\n2001:db8::/48"],
        "labels": ["team=payments,pci"],
    }
    assert await rows("api_key") == 0


async def test_a_preset_in_a_link_fills_in_what_the_link_leaves_out(editor: Browser) -> None:
    await editor.open(f"{NEW}?preset=ci&environment=staging")
    assert held(editor) == {
        "preset": ["ci"], "environment": ["staging"], "permissions": ["pdf.read"], "lifetime": ["never"],
    }  # fmt: skip


async def test_a_date_in_a_link_is_chosen(editor: Browser) -> None:
    await editor.open(f"{NEW}?expiresAt=2099-01-31T18:00")
    assert faults(editor) == {} and held(editor) == {"lifetime": ["date"], "expiresAt": ["2099-01-31T18:00"]}


async def test_what_a_link_says_wrongly_is_said_at_its_field_and_the_rest_is_kept(editor: Browser) -> None:
    query = "environment=prod&permissions=pdf.raed,pdf.read&lifetime=14&allowedIps=nowhere&preset=x&labels=a+b&color=red"
    assert (await editor.open(f"{NEW}?{query}&name={'x' * 101}")).status_code == 422
    said = faults(editor)
    assert set(said) == {"preset", "name", "environment", "permissions", "lifetime", "allowedIps", "labels"}
    assert said["environment"] == "There is no environment “prod”. Choose one of these."
    assert said["permissions"] == "There is no permission “pdf.raed”." and said["lifetime"].startswith("There is no lifetime “14”")
    assert "does not have: color." in editor.page
    assert held(editor) == {
        "name": ["x" * 101], "permissions": ["pdf.read"], "allowedIps": ["nowhere"], "labels": ["a b"],
    }  # fmt: skip
    assert (await editor.open(f"{NEW}?environment=temporary")).status_code == 200, "an expiry is left to the user"
    assert (await editor.open(f"{NEW}?expiresAt=soon")).status_code == 422 and set(faults(editor)) == {"expiresAt"}


async def test_a_link_shows_no_secret_and_no_form_to_a_viewer(viewer: Browser, editor: Browser) -> None:
    secret = "fl_live_" + "a" * 38
    await editor.open(f"{NEW}?environment={secret}&permissions={secret}&{secret}=1")
    assert secret not in editor.page and "fl_live_aaaa" in editor.page
    assert (await viewer.open(f"{NEW}?name=Server")).status_code == 200
    assert "Only editors and owners can create keys" in viewer.page and "Server" not in viewer.page
