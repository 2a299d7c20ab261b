"""Protection against cross-site requests: the request's origin, and the session's token (OWASP CSRF)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from app.access.actor import Actor, Role
from app.authentication import service as authentication
from app.members import service as members
from app.sessions import service as sessions
from tests.conftest import Team
from tests.support.forms import forms_of
from tests.support.users import OTHER_PASSWORD, PASSWORD, REQUEST, make_owner
from tests.web.conftest import Browser, routes, rows, signed_in

ORIGIN = "{origin}"
FOREIGN = {
    "a cross-site form": {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
    "a cross-site form that hides its origin": {"sec_fetch_site": "cross-site"},
    "a subdomain": {"origin": "http://evil.127.0.0.1:8000", "sec_fetch_site": "same-site"},
    "an address typed by hand": {"sec_fetch_site": "none"},
    "no origin": {},
    "an origin of null": {"origin": "null"},
    "another port": {"origin": "http://127.0.0.1:1"},
    "our origin as a beginning": {"origin": ORIGIN + ".evil.example"},
    "a forged HTMX header": {"origin": "https://evil.example", "hx_request": "true"},
    "a forged HTMX header and no origin": {"hx_request": "true", "hx_target": "main"},
    "the referrer alone": {"referer": ORIGIN + "/account"},
    "text/plain by fetch": {"origin": "https://evil.example", "content_type": "text/plain"},
}


@pytest.mark.parametrize("way", FOREIGN)
async def test_a_cross_site_request_with_the_right_token_is_refused(owner: Browser, team: Team, way: str) -> None:
    headers = {name: text.replace(ORIGIN, owner.origin) for name, text in FOREIGN[way].items()}
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    before = await rows("audit_entry")
    answer = await owner.post(path, owner.form(path).filled(name="Taken over"), **headers)
    assert answer.status_code == 403
    assert await rows("audit_entry") == before


@pytest.mark.parametrize("way", FOREIGN)
async def test_a_cross_site_sign_in_is_refused(browser: Browser, way: str) -> None:
    await make_owner()
    headers = {name: text.replace(ORIGIN, browser.origin) for name, text in FOREIGN[way].items()}
    await browser.open("/sign-in")
    form = browser.form("/sign-in").filled(email="ann@example.org", password=PASSWORD)
    assert (await browser.post("/sign-in", form, **headers)).status_code == 403
    assert (browser.token, await rows("session")) == (None, 0)


async def test_a_missing_token_and_one_of_another_user_or_older_session_are_refused(
    owner: Browser, editor: Browser, browse: Callable[..., Browser], team: Team
) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    form = owner.form(path).filled(name="Taken over")
    old = dict(form)["csrf"]
    await editor.open("/account")
    others = dict(editor.form("/account/name").values)["csrf"]
    newer = await signed_in(browse(), team.owner)
    before = await rows("audit_entry")
    for token in (old, others, "", old[:-1], "é"):
        fields = [(name, token if name == "csrf" else value) for name, value in form]
        assert (await newer.post(path, fields, **newer.same_origin_headers)).status_code == 403
    assert await rows("audit_entry") == before


async def test_a_planted_pair_of_cookie_and_token_is_refused(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    owner.client.cookies.set("csrftoken", "planted")
    fields = [*[pair for pair in owner.form(path).filled(name="Taken over") if pair[0] != "csrf"], ("csrf", "planted")]
    assert (await owner.post(path, fields, **owner.same_origin_headers, x_csrf_token="planted")).status_code == 403


async def test_an_old_browser_that_sends_only_origin_is_accepted(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    answer = await owner.post(path, owner.form(path).filled(name="New name"), origin=owner.origin)
    assert answer.status_code == 303


async def test_every_unsafe_route_requires_the_sessions_token(owner: Browser, team: Team) -> None:
    before = await rows("audit_entry")
    # Routes that do not use the session, even if there is one.
    free = {"/sign-in", "/password-reset", "/password-reset/x", "/email-change/x", "/set-up/x"}
    assert free < set(routes("POST", team))
    for path in set(routes("POST", team)) - free:
        assert (await owner.post(path, {}, **owner.same_origin_headers)).status_code == 403, path
    assert await rows("audit_entry") == before
    assert await sessions.find(str(owner.token)) is not None


async def test_a_page_that_hides_its_origin_is_accepted_if_the_browser_says_same_origin(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    answer = await owner.post(path, owner.form(path).filled(name="Renamed"), origin="null", sec_fetch_site="same-origin")
    assert answer.status_code == 303


async def test_a_form_older_than_the_session_is_offered_again_and_loses_nothing(
    owner: Browser, browse: Callable[..., Browser], team: Team
) -> None:
    path = f"/w/{team.slug}/settings/workspace"
    await owner.open(path)
    stale = owner.form(path).filled(name="Typed before")
    newer = await signed_in(browse(), team.owner)
    before = await rows("audit_entry")
    answer = await newer.post(path, stale, **newer.same_origin_headers)
    assert (answer.status_code, await rows("audit_entry")) == (403, before)
    assert "You are signed in as" in newer.page
    again = newer.form(path)
    assert sorted(pair for pair in again.values if pair[0] != "csrf") == sorted(pair for pair in stale if pair[0] != "csrf")
    assert (await newer.send(path)).status_code == 303
    await newer.open(path)
    assert "Typed before" in newer.page


async def test_a_form_older_than_the_session_repeats_no_password(
    owner: Browser, browse: Callable[..., Browser], team: Team
) -> None:
    await owner.open("/account")
    action = next(form.action for form in forms_of(owner.page) if "newPassword" in dict(form.values))
    stale = owner.form(action).filled(currentPassword=PASSWORD, newPassword="another long passphrase")
    newer = await signed_in(browse(), team.owner)
    assert (await newer.post(action, stale, **newer.same_origin_headers)).status_code == 403
    assert PASSWORD not in newer.page
    assert "another long passphrase" not in newer.page


async def test_two_tabs_on_the_sign_in_page_can_both_sign_in(browser: Browser) -> None:
    await make_owner()
    await browser.open("/sign-in")
    older = browser.form("/sign-in").filled(email="ann@example.org", password=PASSWORD)
    for _ in range(2):
        assert (await browser.post("/sign-in", older, **browser.same_origin_headers)).status_code == 303
    assert (await browser.open("/account")).status_code == 200
    # A cross-site request is still refused.
    assert (await browser.post("/sign-in", older, origin="https://evil.example", sec_fetch_site="cross-site")).status_code == 403


async def test_forms_without_a_session_work_beside_a_session_begun_in_another_tab(owner: Browser) -> None:
    user, _ = await make_owner("bo@example.org", "Bo", "Elsewhere")
    link = urlsplit(await authentication.password_reset_link(Actor.operator(), "bo@example.org")).path
    older = {"/password-reset": {"email": "bo@example.org"}, link: {"newPassword": OTHER_PASSWORD}}
    for path, form in older.items():
        assert (await owner.post(path, form, origin="https://evil.example", sec_fetch_site="cross-site")).status_code == 403
        assert (await owner.post(path, form, **owner.same_origin_headers)).status_code in (200, 303), owner.page
    assert (await authentication.sign_in(REQUEST, "bo@example.org", OTHER_PASSWORD)).session.user.id == user.id
    # Only the sessions of the user whose password was changed end.
    assert await sessions.find(str(owner.token)) is not None


async def test_an_invitation_opened_before_the_session_began_is_offered_again(browser: Browser, team: Team) -> None:
    await make_owner("bo@example.org", "Bo", "Elsewhere")
    path = urlsplit((await members.invite(team.owner, team.slug, "bo@example.org", Role.VIEWER))[1]).path
    await browser.open(path)
    older = [("name", "Bo"), ("password", PASSWORD)]
    browser.token = (await authentication.sign_in(REQUEST, "bo@example.org", PASSWORD)).token
    assert (await browser.post(path, older, **browser.same_origin_headers)).status_code == 403
    assert "You are signed in as" in browser.page and PASSWORD not in browser.page
    assert (await browser.send(path)).headers["location"] == f"/w/{team.slug}"


OTHERS = [
    'prefs={"theme":"dark"}',
    "[x]=1",
    "a b=1",
    "ünï=cödé",
    "path=/",
    "=",
    ";;;",
    'quoted="a;b"',
    "expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "x=" + "y" * 4_000,
    "keydesk-session=",
    "keydesk-session=not-a-token",
    'keydesk-session="' + "A" * 43 + '"',
    "keydesk-session=" + "B" * 43,
    "Keydesk-Session=" + "C" * 43,
]


@pytest.mark.parametrize("other", OTHERS)
async def test_cookies_of_other_applications_do_not_affect_ours(owner: Browser, other: str) -> None:
    ours = f"keydesk-session={owner.token}"
    owner.client.cookies.clear()
    for line in (f"{other}; {ours}", f"{ours}; {other}", f"{other};{ours};{other}"):
        answer = await owner.client.get("/account", headers={"cookie": line.encode("utf-8")})
        assert answer.status_code == 200, line
    assert (await owner.client.get("/account", headers={"cookie": other.encode("utf-8")})).status_code == 303
