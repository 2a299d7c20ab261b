"""URLs that are typed, truncated, reloaded or requested with HEAD lead to the right page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app import database
from app.clock import DAY
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.web.dashboard import FALLBACK
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.conftest import Team, make_key
from tests.support.routes import filled, routes
from tests.web.conftest import Browser

POST_ONLY = sorted(set(routes("POST")) - set(routes("GET")))
# Endless answers; another test checks that HEAD ends them.
PAGES = [route for route in routes("GET") if not route.endswith("/events")]


async def values(team: Team) -> dict[str, str]:
    key = (await make_key(team)).key.id
    asked = WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com")
    webhook = (await webhooks.create(team.owner, team.slug, asked)).webhook.id
    named = {"slug": team.slug, "key_id": key, "user_id": team.viewer.id, "name": "free", "webhook_id": webhook}
    named["item"] = "keys-out-of-code"
    managing = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    named["management_key_id"] = (await management_keys.create(team.owner, team.slug, managing))[0].id
    return named | {
        "alert_id": "alr_x",
        "delivery_id": "whd_x",
        "token": "x",
        "session_id": "ses_x",
        "invitation_id": "inv_x",
        "request_id": "req_x",
    }


@pytest.mark.parametrize("route", PAGES)
async def test_head_is_get_without_a_body(owner: Browser, team: Team, route: str) -> None:
    path = filled(route, await values(team))
    page = await owner.open(path)
    head = await owner.client.head(path)
    assert (head.status_code, head.content) == (page.status_code, b"")
    assert set(head.headers) == set(page.headers) and head.headers.get("location") == page.headers.get("location")


async def test_head_of_an_endless_answer_ends(owner: Browser, team: Team) -> None:
    path = filled("/w/{slug}/settings/api-keys/{key_id}/rotation/events", await values(team))
    assert (await owner.client.head(path)).content == b""


@pytest.mark.parametrize("route", POST_ONLY)
async def test_reloading_a_post_only_url_leads_to_its_page(
    owner: Browser, browse: Callable[..., Browser], team: Team, route: str
) -> None:
    path = filled(route, await values(team))
    answer = await owner.open(path)
    assert answer.status_code == 303 and path.startswith(answer.headers["location"].rstrip("/"))
    assert (await owner.follow()).status_code == 200
    stranger = browse()
    assert (await stranger.open(path)).status_code == 303
    assert (await stranger.follow()).status_code == 200 and "/sign-in" in str(stranger.shown and stranger.shown.url)


def test_the_page_of_a_url_is_its_nearest_parent() -> None:
    keys = "/w/acme/settings/api-keys"
    assert FALLBACK.above(f"{keys}/key_x/replacement") == f"{keys}/key_x"
    assert FALLBACK.above(f"{keys}/key_x/rotation/completion") == f"{keys}/key_x/rotation"
    assert FALLBACK.above("/w/acme/settings/members/invitations/inv_x/withdrawal") == "/w/acme/settings/members"
    assert FALLBACK.above("/account/sessions/ses_x/end") == "/account"
    assert FALLBACK.above("/sign-out") == FALLBACK.above("/") == FALLBACK.above("//evil.example/x") == "/"


async def test_such_a_url_cannot_inject_a_header(owner: Browser, team: Team) -> None:
    path = f"/w/{team.slug}/settings/api-keys/%0d%0aset-cookie:a=b%C3%BC"
    answer = await owner.open(f"{path}/replacement")
    assert (answer.status_code, answer.headers["location"]) == (303, path.replace("%0d%0a", "%0D%0A").replace(":a=b", "%3Aa%3Db"))


async def test_the_settings_url_leads_to_the_api_keys(owner: Browser, browser: Browser, team: Team) -> None:
    answer = await owner.open(f"/w/{team.slug}/settings")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/w/{team.slug}/settings/api-keys")
    assert (await owner.open("/w/rival/settings")).status_code == 404
    assert (await browser.open(f"/w/{team.slug}/settings")).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("path", ["/v1", "/V1", "/V1/verify", "/v1/", "/v1/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_mistyped_url_of_verification_gets_a_problem_response(browser: Browser, method: str, path: str) -> None:
    answer = await browser.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "NOT_FOUND"


async def test_other_urls_with_the_same_beginning_are_pages(browser: Browser) -> None:
    for path in ("/v1x", "/w/v1"):
        assert "text/html" in (await browser.client.get(path)).headers.get("content-type", "")
