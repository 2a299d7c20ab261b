"""Pages without a session: set-up with its link, sign-in and sign-out, and password reset."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from app.access.actor import Actor
from app.authentication import service as authentication
from app.cli.server import _listening
from app.main import create_app
from app.settings import Settings
from tests.conftest import Team
from tests.support.outbox import send_mails
from tests.support.smtp import Smtp
from tests.support.users import OTHER_PASSWORD, PASSWORD, make_owner
from tests.web.conftest import COOKIE, Browser, later, rows

ELSEWHERE = [
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example", "https://evil.example", "%2f%2fevil.example",
    "/%09/evil.example", "/%2f/evil.example", "/\t/evil.example", "javascript:alert(1)", " //evil.example",
    "evil.example", "///evil.example",
]  # fmt: skip


async def set_up_path() -> str:
    link = await authentication.set_up_link()
    assert link is not None
    return re.sub(r"^https?://[^/]+", "", link)


async def test_the_first_owner_signs_up_with_the_link_and_is_signed_in(browser: Browser) -> None:
    assert "output of <code>keydesk serve</code>" in (await browser.open("/sign-in")).text
    path = await set_up_path()
    await browser.open(path)
    answer = await browser.send(path, name="Ann", email="ann@example.org", password=PASSWORD, workspace="Acme, Inc.")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?after=sign-in&next=%2F")
    assert str((await browser.follow()).url).endswith("/w/acme-inc")
    assert "Acme, Inc." in browser.page
    browser.client.cookies.clear()
    assert "keydesk serve" not in (await browser.open("/sign-in")).text


async def test_of_twenty_concurrent_set_ups_one_creates_an_owner(browse: Callable[..., Browser]) -> None:
    path = await set_up_path()
    browsers = [browse() for _ in range(20)]
    fields = [{"name": "Ann", "email": f"ann{n}@example.org", "password": PASSWORD, "workspace": "Acme"} for n in range(20)]
    await asyncio.gather(*(one.open(path) for one in browsers))
    answers = await asyncio.gather(*(one.send(path, **given) for one, given in zip(browsers, fields, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [303] + [410] * 19
    assert (await rows("account"), await rows("workspace"), await rows("session")) == (1, 1, 1)


async def test_once_there_is_an_owner_even_an_unused_link_is_invalid(browser: Browser) -> None:
    path = await set_up_path()
    assert (await browser.open(path)).status_code == 200
    await make_owner()
    answer = await browser.open(path)
    assert answer.status_code == 410 and "This link has expired" in answer.text


async def test_a_used_and_an_unknown_link_say_how_to_get_another(browser: Browser) -> None:
    path = await set_up_path()
    await browser.open(path)
    await browser.send(path, name="Ann", email="ann@example.org", password=PASSWORD, workspace="Acme")
    for dead in (path, "/set-up/x", "/invitations/x", "/password-reset/x"):
        assert (await browser.open(dead)).status_code == 410
        assert "This link has expired" in browser.page


async def test_faults_of_set_up_are_shown_at_their_fields_and_only_the_password_is_lost(browser: Browser) -> None:
    path = await set_up_path()
    await browser.open(path)
    answer = await browser.send(path, name="Ann", email="ann at example", password="short", workspace="Acme")
    assert answer.status_code == 422
    assert 'id="email-fault"' in browser.page and 'id="password-fault"' in browser.page
    held = dict(browser.form(path).values)
    assert held == {"name": "Ann", "email": "ann at example", "password": "", "workspace": "Acme"}
    assert "short" not in browser.page
    assert await rows("account") == 0


async def test_what_is_wrong_with_a_password_replaces_its_hint(browser: Browser) -> None:
    path = await set_up_path()
    await browser.open(path)
    assert browser.page.count("15 characters or more") == 1
    await browser.send(path, name="Ada", email="ada@example.com", password="short", workspace="Acme")
    assert browser.page.count("15 characters or more") == 1 and 'id="password-hint"' not in browser.page


async def test_set_up_names_no_default_account(browser: Browser) -> None:
    await browser.open("/sign-in")
    assert (await browser.send("/sign-in", email="admin", password="admin")).status_code == 422


async def test_signing_in_leads_to_the_page_that_was_requested(browser: Browser) -> None:
    await make_owner()
    assert (await browser.open("/w/acme/settings/members")).status_code == 303
    await browser.follow()
    answer = await browser.send("/sign-in", email="Ann@Example.org", password=PASSWORD)
    assert answer.status_code == 303
    assert (await browser.open(answer.headers["location"])).headers["location"] == "/w/acme/settings/members"
    assert (await browser.follow()).status_code == 200


@pytest.mark.parametrize("address", ELSEWHERE)
async def test_next_never_leads_to_another_site(browser: Browser, address: str) -> None:
    await make_owner()
    await browser.open("/sign-in?next=/account")
    answer = await browser.send("/sign-in", email="ann@example.org", password=PASSWORD, next=address)
    assert answer.headers["location"] == "/sign-in?after=sign-in&next=%2F"
    assert (await browser.open(answer.headers["location"])).headers["location"] == "/"
    assert (await browser.client.get("/sign-in", params={"next": address})).headers["location"] == "/"
    await browser.open("/account")
    fields = [*browser.form("/sign-out").values, ("next", address)]
    assert (await browser.post("/sign-out", fields, **browser.same_origin_headers)).headers["location"] == "/"


async def test_a_wrong_password_and_an_unknown_address_get_the_same_page(browser: Browser) -> None:
    await make_owner()
    pages = []
    for email, password in (("ann@example.org", "wrong"), ("who@example.org", PASSWORD)):
        await browser.open("/sign-in")
        answer = await browser.send("/sign-in", email=email, password=password)
        assert answer.status_code == 422
        pages.append(browser.page.replace(email, "E"))
    assert pages[0] == pages[1]
    assert browser.token is None


async def test_too_many_attempts_are_refused_with_the_time_to_retry(browser: Browser) -> None:
    await browser.open("/sign-in")
    for _ in range(10):
        assert (await browser.send("/sign-in", email="ann@example.org", password="wrong")).status_code == 422
    answer = await browser.send("/sign-in", email="ann@example.org", password="wrong")
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "Too many attempts" in browser.page
    assert ("email", "ann@example.org") in browser.form("/sign-in").values


async def test_a_planted_token_is_not_the_session_that_begins(browse: Callable[..., Browser]) -> None:
    await make_owner()
    browser, other = browse(), browse()
    browser.token = other.token = "planted"
    await browser.open("/sign-in")
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    assert browser.token not in (None, "planted")
    assert (await browser.open("/account")).status_code == 200
    assert (await other.open("/account")).status_code == 303


async def test_a_session_token_in_the_url_is_ignored(browse: Callable[..., Browser], owner: Browser) -> None:
    for name in ("session", COOKIE, "token"):
        assert (await browse().open(f"/account?{name}={owner.token}")).status_code == 303


async def test_signing_in_again_ends_the_previous_session(browser: Browser) -> None:
    await make_owner()
    await browser.open("/sign-in")
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    old = browser.token
    await browser.open("/account")
    fields = {"csrf": dict(browser.form("/sign-out").values)["csrf"], "email": "ann@example.org", "password": PASSWORD}
    assert (await browser.post("/sign-in", fields, **browser.same_origin_headers)).status_code == 303
    assert browser.token != old
    assert await rows("session") == 1


async def test_signing_out_ends_the_session_on_the_server_and_clears_the_browser(owner: Browser) -> None:
    token = owner.token
    await owner.open("/account")
    answer = await owner.send("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert owner.token is None
    owner.token = str(token)
    assert (await owner.open("/account")).headers["location"] == "/sign-in?next=%2Faccount"


async def test_a_session_ends_after_half_an_hour_without_requests(owner: Browser) -> None:
    await later(30)
    assert (await owner.open("/account")).status_code == 303


async def test_the_cookie_of_https_is_bound_to_its_host_and_hidden_from_scripts(settings: Settings, db: None) -> None:
    await make_owner()
    browser = Browser(create_app(replace(settings, dev=False, public_url="https://keys.example.com")))
    await browser.open("/sign-in")
    answer = await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    name, *attributes = [part.strip() for part in answer.headers["set-cookie"].split(";")]
    assert name.startswith("__Host-keydesk-session=")
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"]
    assert answer.headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    assert COOKIE not in browser.client.cookies


async def test_a_forgotten_password_is_replaced_by_the_mailed_link_once(browser: Browser, smtp: Smtp) -> None:
    await make_owner()
    for email in ("who@example.org", "ann@example.org"):
        await browser.open("/password-reset")
        answer = await browser.send("/password-reset", email=email)
        assert answer.status_code == 200
        assert "If there is an account with this address" in browser.page
    (path,) = await _mailed(smtp)
    await browser.open(path)
    assert "ann@example.org" in browser.page
    assert (await browser.send(path, newPassword="short")).status_code == 422
    answer = await browser.send(path, newPassword=OTHER_PASSWORD)
    assert answer.headers["location"] == "/sign-in?after=password-reset"
    assert (await browser.open(path)).status_code == 410
    await browser.open("/sign-in?after=password-reset")
    assert "Your password was changed" in browser.page
    assert (await browser.send("/sign-in", email="ann@example.org", password=OTHER_PASSWORD)).status_code == 303


async def test_the_mailed_link_has_the_host_of_the_settings_and_not_of_the_request(browser: Browser, smtp: Smtp) -> None:
    await make_owner()
    await browser.open("/password-reset")
    form = browser.form("/password-reset").filled(email="ann@example.org")
    assert (await browser.post("/password-reset", form, host="evil.example", **browser.same_origin_headers)).status_code == 421
    forwarded = {"x_forwarded_host": "evil.example", "forwarded": "host=evil.example"}
    assert (await browser.post("/password-reset", form, **browser.same_origin_headers, **forwarded)).status_code == 200
    await _mailed(smtp)
    assert [message.get_content().count("https://keys.example.com/password-reset/") for message in smtp.received] == [1]
    assert "evil" not in smtp.received[0].as_string()


async def test_without_mail_the_page_refers_to_the_operator(browser: Browser) -> None:
    assert (await browser.open("/password-reset")).status_code == 200
    assert "Ask your administrator" in browser.page
    assert "<form" not in browser.page


async def test_an_operators_link_works_too(browser: Browser) -> None:
    await make_owner()
    link = await authentication.password_reset_link(Actor.operator(), "ann@example.org")
    path = re.sub(r"^https?://[^/]+", "", link)
    await browser.open(path)
    assert (await browser.send(path, newPassword=OTHER_PASSWORD)).status_code == 303


async def test_a_signed_in_user_is_redirected_from_the_sign_in_page(owner: Browser, team: Team) -> None:
    assert (await owner.open("/sign-in")).headers["location"] == "/"
    assert str((await owner.follow()).url).endswith(f"/w/{team.slug}")


async def _mailed(smtp: Smtp) -> list[str]:
    """The paths of the links that were mailed."""
    await send_mails()
    return [found for message in smtp.received for found in re.findall(r"https://keys\.example\.com(/\S+)", message.get_content())]


@pytest.mark.parametrize(
    ("url", "says"), [("http://keys.lan:8000", True), ("https://keys.lan", False), ("http://localhost:8000", False)]
)
async def test_the_sign_in_page_says_that_sessions_do_not_work_over_plain_http(
    browse: Callable[..., Browser], settings: Settings, db: None, url: str, says: bool
) -> None:
    app = create_app(replace(settings, dev=False, public_url=url))
    page = await Browser(app).open("/sign-in")
    assert ("cannot sign in over plain HTTP" in page.text) is says


async def test_if_the_browser_stores_no_cookie_the_page_after_sign_in_says_so(browser: Browser) -> None:
    await make_owner()
    await browser.open("/sign-in?next=/account")
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    browser.client.cookies.clear()
    page = await browser.follow()
    assert (page.status_code, "Your browser did not keep the session" in page.text) == (200, True)
    assert dict(browser.form("/sign-in").values)["next"] == "/account"
    await browser.send("/sign-in", email="ann@example.org", password=PASSWORD)
    assert str((await browser.follow()).url).endswith("/account")
    assert "did not keep" not in browser.page


def test_a_start_over_plain_http_warns_that_nobody_can_sign_in(settings: Settings) -> None:
    def lines(url: str, dev: bool) -> str:
        return "\n".join(_listening(replace(settings, dev=dev, public_url=url), None, None).lines)

    assert "Nobody can sign in there" in lines("http://keys.lan", False)
    assert "Nobody can sign in" not in lines("https://keys.lan", False) + lines("http://keys.lan", True)


async def test_after_sign_in_the_requested_page_is_shown_with_its_filter(browser: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/api-keys?q=caf%C3%A9&status=active"
    location = (await browser.open(path)).headers["location"]
    assert location.startswith("/sign-in?next=")
    await browser.open(location)
    assert dict(browser.form("/sign-in").values)["next"] == path
