"""The account page: name, password, sessions, workspaces."""

from __future__ import annotations

from collections.abc import Callable

from httpx import QueryParams

from app.access.actor import Actor, Role
from app.members import service as members
from app.sessions import service as sessions
from tests.conftest import Team
from tests.support.forms import forms_of
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import OTHER_PASSWORD, PASSWORD, make_owner
from tests.web.conftest import Browser, signed_in


async def enter(browser: Browser, password: str = PASSWORD) -> Browser:
    await browser.open("/sign-in")
    assert (await browser.send("/sign-in", email="ann@example.org", password=password)).status_code == 303
    await browser.open("/account")
    return browser


async def test_a_new_name_is_everywhere_from_the_next_page_on(owner: Browser) -> None:
    await owner.open("/account")
    assert (await owner.send("/account/name", name="  Ann Lee ")).headers["location"] == "/account?done=name"
    await owner.follow()
    assert owner.page.count("Ann Lee") == 2
    assert (await owner.send("/account/name", name=" ")).status_code == 422
    assert 'id="name-fault"' in owner.page


async def test_a_new_password_ends_every_other_session_and_this_one_goes_on(browse: Callable[..., Browser]) -> None:
    await make_owner()
    here, there = await enter(browse()), await enter(browse())
    old = here.token
    answer = await here.send("/account/password", currentPassword=PASSWORD, newPassword=OTHER_PASSWORD)
    assert answer.headers["location"] == "/account?done=password"
    assert here.token != old
    assert (await here.follow()).status_code == 200
    fragment = await there.open("/w/acme", **{"HX-Request": "true"})
    assert fragment.headers["hx-redirect"] == "/sign-in?next=%2Fw%2Facme"
    assert (await there.open("/account")).status_code == 303
    await enter(browse(), OTHER_PASSWORD)


async def test_a_refused_password_is_reported_at_its_field_and_not_shown_again(browser: Browser) -> None:
    await make_owner()
    await enter(browser)
    answer = await browser.send("/account/password", currentPassword="not my password at all", newPassword=OTHER_PASSWORD)
    assert answer.status_code == 422
    assert 'id="currentPassword-fault"' in browser.page
    assert (await browser.send("/account/password", currentPassword=PASSWORD, newPassword="short")).status_code == 422
    assert 'id="newPassword-fault"' in browser.page
    assert not [text for text in (PASSWORD, OTHER_PASSWORD, "short", "not my password at all") if f'"{text}"' in browser.page]


async def test_one_session_is_ended_from_another(browse: Callable[..., Browser]) -> None:
    await make_owner()
    here, there = await enter(browse()), await enter(browse("198.51.100.7"))
    await here.open("/account")
    assert "198.51.100.7" in here.page and "This session" in here.page
    (action,) = [form.action for form in forms_of(here.page) if form.action.endswith("/end")]
    assert (await here.send(action)).status_code == 303
    assert (await there.open("/account")).status_code == 303
    assert (await here.open("/account")).status_code == 200


async def test_a_user_cannot_end_another_users_session(owner: Browser, viewer: Browser) -> None:
    await viewer.open("/account")
    csrf = {"csrf": dict(viewer.form("/account/name").values)["csrf"]}
    theirs = await sessions.find(str(owner.token))
    assert theirs is not None
    for session in (theirs.id, "ses_x", "x"):
        assert (await viewer.post(f"/account/sessions/{session}/end", csrf, **viewer.same_origin_headers)).status_code == 404
    assert (await owner.open("/account")).status_code == 200


async def test_a_user_without_workspaces_still_has_an_account_page_and_can_sign_out(viewer: Browser, team: Team) -> None:
    await members.remove(Actor.operator(), team.slug, team.viewer.id)
    await signed_in(viewer, team.viewer)
    assert (await viewer.open("/")).headers["location"] == "/account"
    await viewer.follow()
    assert "None yet." in viewer.page
    assert (await viewer.send("/sign-out")).headers["location"] == "/sign-in"


async def test_the_switcher_lists_all_workspaces_of_the_user(owner: Browser, team: Team, other_team: Team) -> None:
    _, link = await members.invite(other_team.owner, other_team.slug, "owner@acme.example", Role.VIEWER)
    await members.accept(team.owner, link.rsplit("/", 1)[1])
    await owner.open("/w/acme")
    assert 'href="/w/rival"' in owner.page
    await owner.open("/w/rival")
    assert (await owner.open("/")).headers["location"] == "/w/rival"
    await owner.open("/account")
    assert owner.page.count('href="/w/rival"') >= 2


async def test_the_confirmation_page_leads_back_only_within_this_site(browser: Browser) -> None:
    await make_owner()
    await enter(browser)
    for asked, onward in (("/w/acme", "/w/acme"), ("//evil.example", "/"), ("https://evil.example", "/")):
        old = browser.token
        await browser.open(f"/account/confirm?{QueryParams({'next': asked})}")
        assert (await browser.send("/account/confirm", confirmPassword="not my password at all")).status_code == 422
        answer = await browser.send("/account/confirm", confirmPassword=PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, onward)
        assert browser.token != old and await sessions.find(str(old)) is None
    browser.token = "nobody"
    assert (
        (await browser.open("/account/confirm?next=/w/acme")).headers["location"].startswith("/sign-in?next=%2Faccount%2Fconfirm")
    )


async def test_the_explorer_fetches_the_sessions_user_and_its_token(browser: Browser) -> None:
    assert (await browser.open("/graphql/session")).status_code == 401
    await make_owner()
    await enter(browser)
    before = (await browser.open("/graphql/session")).json()
    await browser.open("/account/confirm")
    await browser.send("/account/confirm", confirmPassword=PASSWORD)
    after = (await browser.open("/graphql/session")).json()
    assert before["user"] == after["user"] and before["csrfToken"] != after["csrfToken"]
    headers = {"x-csrf-token": after["csrfToken"], "origin": browser.origin, "sec-fetch-site": "same-origin"}
    for token, status in ((after["csrfToken"], 200), (before["csrfToken"], 403)):
        asked = {"query": "{ viewer { user { email } } }"}
        answer = await browser.client.post("/graphql", json=asked, headers=headers | {"x-csrf-token": token})
        assert answer.status_code == status


async def test_a_new_address_is_confirmed_by_the_link_that_was_sent_there(browser: Browser, smtp: Smtp) -> None:
    await make_owner()
    await enter(browser)
    assert (await browser.send("/account/email", email="no address")).status_code == 422
    assert 'id="email-fault"' in browser.page
    answer = await browser.send("/account/email", email="ann@new.example")
    assert answer.headers["location"] == "/account?done=email-sent"
    await send_mails()
    path = "/email-change/" + smtp.received[-1].get_content().split("/email-change/")[1].split()[0]
    await browser.open(path)
    assert "ann@new.example" in browser.page and "ann@example.org" in browser.page
    assert (await browser.send(path)).headers["location"] == "/account?done=email"
    await browser.open("/account")
    assert "ann@new.example" in browser.page and "ann@example.org" not in browser.page
    assert (await browser.open(path)).status_code == 410


async def test_the_link_works_in_a_browser_without_a_session_too(browse: Callable[..., Browser], smtp: Smtp) -> None:
    await make_owner()
    here, elsewhere = await enter(browse()), browse()
    await here.send("/account/email", email="ann@new.example")
    await send_mails()
    path = "/email-change/" + smtp.received[-1].get_content().split("/email-change/")[1].split()[0]
    await elsewhere.open(path)
    assert (await elsewhere.send(path)).headers["location"] == "/sign-in?after=email-change"
    await elsewhere.follow()
    assert "Your e-mail address was changed." in elsewhere.page
