"""A form that is sent after its session has ended: it is kept over the sign-in, for the person who filled it in alone."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from httpx import QueryParams

from app.accounts import service as accounts
from tests.support.people import OTHER_PASSWORD, PASSWORD, make_owner
from tests.web.conftest import Browser, later, rows

SETTINGS = "/w/acme/settings/workspace"
TYPED = "Töpferei & Söhne"
FRAGMENT = {"hx_request": "true", "hx_target": "main#main"}


async def enter(browser: Browser, email: str = "ann@example.org", password: str = PASSWORD) -> Browser:
    await browser.open("/sign-in")
    assert (await browser.send("/sign-in", email=email, password=password)).status_code == 303
    return browser


async def _expired(browser: Browser) -> None:
    await later(31)


async def _signed_out_in_another_tab(browser: Browser) -> None:
    await browser.open("/account")
    await browser.send("/sign-out")


async def _ended_from_elsewhere(browser: Browser) -> None:
    await accounts.sign_out(str(browser.token))


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["whole", "fragment"])
@pytest.mark.parametrize("end", [_expired, _signed_out_in_another_tab, _ended_from_elsewhere])
async def test_a_form_comes_back_as_it_was_filled_in_after_signing_in_again(
    browser: Browser, end: Callable[[Browser], object], headers: dict[str, str]
) -> None:
    await make_owner(workspace="Acme")
    await enter(browser)
    await browser.open(SETTINGS)
    filled = browser.form(SETTINGS).filled(name=TYPED)
    await end(browser)  # type: ignore[misc]
    before = await rows("audit_entry")
    asked = await browser.post(SETTINGS, filled, **browser.from_here, **headers)
    assert (asked.status_code, await rows("audit_entry")) == (403, before)
    assert "Sign in again" in asked.text and "csrf" not in asked.text
    wrong = await browser.send(SETTINGS, signInEmail="ann@example.org", signInPassword="not my password at all")
    assert wrong.status_code == 422 and "not my password" not in wrong.text
    again = await browser.send(SETTINGS, signInEmail="ann@example.org", signInPassword=PASSWORD)
    assert again.status_code == 200 and "Saved." not in again.text
    assert dict(browser.form(SETTINGS).values)["name"] == TYPED
    assert (await browser.send(SETTINGS)).status_code == 303
    await browser.follow()
    assert dict(browser.form(SETTINGS).values)["name"] == TYPED


async def test_another_person_who_signs_in_sees_nothing_of_it_and_sends_nothing_of_it(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    await make_owner("bo@example.org", "Bo", workspace="Elsewhere")
    await enter(browser)
    await browser.open(SETTINGS)
    filled = browser.form(SETTINGS).filled(name=TYPED)
    await _signed_out_in_another_tab(browser)
    await browser.post(SETTINGS, filled, **browser.from_here)
    answer = await browser.send(SETTINGS, signInEmail="bo@example.org", signInPassword=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/w/elsewhere")
    # And a form of hers that is sent when he has signed in already is neither shown nor done.
    refused = await browser.post(SETTINGS, filled, **browser.from_here)
    assert refused.status_code == 403 and TYPED not in html.unescape(refused.text)
    assert "Somebody else filled this form in" in refused.text
    assert await rows("workspace") == 2


async def test_no_password_is_kept_over_the_sign_in(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    await enter(browser)
    await browser.open("/account")
    filled = browser.form("/account/password").filled(currentPassword=PASSWORD, newPassword=OTHER_PASSWORD)
    await later(31)
    asked = await browser.post("/account/password", filled, **browser.from_here)
    assert PASSWORD not in asked.text and OTHER_PASSWORD not in asked.text and "except passwords" in asked.text
    answer = await browser.send("/account/password", signInEmail="ann@example.org", signInPassword=PASSWORD)
    assert answer.status_code == 200 and browser.form("/account/password")
    assert PASSWORD not in answer.text and OTHER_PASSWORD not in answer.text


async def test_the_review_of_a_new_key_is_found_again_with_all_that_was_typed(browser: Browser) -> None:
    new = "/w/acme/settings/api-keys/new"
    await make_owner(workspace="Acme")
    await enter(browser)
    await browser.open(new)
    fields = browser.form(new).filled(name=TYPED, environment="production", permissions=["pdf.read", "pdf.generate"], review="yes")
    await later(31)
    answer = await browser.open(f"{new}?{_query(fields)}")
    await browser.open(answer.headers["location"])
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    review = await browser.follow()
    assert TYPED in html.unescape(review.text) and "pdf.read" in review.text and "pdf.generate" in review.text
    created = browser.form(new).filled(confirmed="yes")
    await later(31)
    await browser.post(new, created, **browser.from_here)
    await browser.send(new, signInEmail="ann@example.org", signInPassword=PASSWORD)
    held = browser.form(new).values
    assert ("name", TYPED) in held and {text for name, text in held if name == "permissions"} == {"pdf.read", "pdf.generate"}
    assert await rows("api_key") == 0


async def test_no_other_site_signs_anybody_in_by_it(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    fields = {"signInEmail": "ann@example.org", "signInPassword": PASSWORD, "filledBy": "usr_x", "name": "Taken over"}
    answer = await browser.post(SETTINGS, fields, origin="https://evil.example", sec_fetch_site="cross-site")
    assert answer.status_code == 403 and browser.token is None and await rows("session") == 0


def _query(fields: list[tuple[str, str]]) -> str:
    return str(QueryParams(fields))
