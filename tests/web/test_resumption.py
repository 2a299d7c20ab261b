"""A form submitted after its session has ended: it is kept through the sign-in, only for the user who filled it in."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest
from httpx import QueryParams

from app.sessions import service as sessions
from tests.support.users import OTHER_PASSWORD, PASSWORD, make_owner
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
    await sessions.sign_out(str(browser.token))


@pytest.mark.parametrize("headers", [{}, FRAGMENT], ids=["whole", "fragment"])
@pytest.mark.parametrize("end", [_expired, _signed_out_in_another_tab, _ended_from_elsewhere])
async def test_after_signing_in_again_the_form_is_shown_with_its_input(
    browser: Browser, end: Callable[[Browser], object], headers: dict[str, str]
) -> None:
    await make_owner(workspace="Acme")
    await enter(browser)
    await browser.open(SETTINGS)
    filled = browser.form(SETTINGS).filled(name=TYPED)
    await end(browser)  # type: ignore[misc]
    before = await rows("audit_entry")
    asked = await browser.post(SETTINGS, filled, **browser.same_origin_headers, **headers)
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


async def test_another_user_who_signs_in_neither_sees_nor_submits_it(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    await make_owner("bo@example.org", "Bo", workspace="Elsewhere")
    await enter(browser)
    await browser.open(SETTINGS)
    filled = browser.form(SETTINGS).filled(name=TYPED)
    await _signed_out_in_another_tab(browser)
    await browser.post(SETTINGS, filled, **browser.same_origin_headers)
    answer = await browser.send(SETTINGS, signInEmail="bo@example.org", signInPassword=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/w/elsewhere")
    # Her form submitted after he has already signed in is neither shown nor executed.
    refused = await browser.post(SETTINGS, filled, **browser.same_origin_headers)
    assert refused.status_code == 403 and TYPED not in html.unescape(refused.text)
    assert "Someone else filled this form in" in refused.text
    assert await rows("workspace") == 2


async def test_no_password_is_kept_through_the_sign_in(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    await enter(browser)
    await browser.open("/account")
    filled = browser.form("/account/password").filled(currentPassword=PASSWORD, newPassword=OTHER_PASSWORD)
    await later(31)
    asked = await browser.post("/account/password", filled, **browser.same_origin_headers)
    assert PASSWORD not in asked.text and OTHER_PASSWORD not in asked.text and "except passwords" in asked.text
    answer = await browser.send("/account/password", signInEmail="ann@example.org", signInPassword=PASSWORD)
    assert answer.status_code == 200 and browser.form("/account/password")
    assert PASSWORD not in answer.text and OTHER_PASSWORD not in answer.text


async def test_the_review_of_a_new_key_is_shown_again_with_all_input(browser: Browser) -> None:
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
    await browser.post(new, created, **browser.same_origin_headers)
    await browser.send(new, signInEmail="ann@example.org", signInPassword=PASSWORD)
    held = browser.form(new).values
    assert ("name", TYPED) in held and {text for name, text in held if name == "permissions"} == {"pdf.read", "pdf.generate"}
    assert await rows("api_key") == 0


async def test_it_allows_no_cross_site_sign_in(browser: Browser) -> None:
    await make_owner(workspace="Acme")
    fields = {"signInEmail": "ann@example.org", "signInPassword": PASSWORD, "filledBy": "usr_x", "name": "Taken over"}
    answer = await browser.post(SETTINGS, fields, origin="https://evil.example", sec_fetch_site="cross-site")
    assert answer.status_code == 403 and browser.token is None and await rows("session") == 0


def _query(fields: list[tuple[str, str]]) -> str:
    return str(QueryParams(fields))
