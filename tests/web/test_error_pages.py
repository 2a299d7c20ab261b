"""Error pages: what happened, what to do, and a way back to what the user was doing, on this site only."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.errors import TooManyAttempts, Unavailable
from app.plans import service as plans
from tests.conftest import Team
from tests.web.conftest import Browser

KEYS = "/w/acme/settings/api-keys"
UNKNOWN = f"{KEYS}/key_aaaaaaaaaaaaaaaaaaaa"


def links(page: str) -> dict[str, str]:
    """The links of the error: their words and addresses."""
    (box,) = re.findall(r'role="alert">(.*?)</div>', page, re.S)
    return {words: address for address, words in re.findall(r'<a class="button[^"]*" href="([^"]*)">([^<]+)</a>', box)}


def referring(browser: Browser, path: str) -> dict[str, str]:
    return {"referer": browser.origin + path}


@pytest.mark.parametrize(
    ("came", "words"),
    [
        (f"{KEYS}?status=active&q=pdf", "Back to API keys"),
        ("/w/acme/alerts", "Back to Alerts"),
        (UNKNOWN.replace("key_a", "key_b"), "Back to the API key"),
        (f"{KEYS}/bulk/revocation", "Back to where you were"),
        ("/account", "Back to Your account"),
    ],
)
async def test_it_leads_back_to_the_page_that_the_user_came_from(owner: Browser, team: Team, came: str, words: str) -> None:
    answer = await owner.open(UNKNOWN, **referring(owner, came))
    assert answer.status_code == 404
    assert links(answer.text.replace("&amp;", "&"))[words] == came
    fragment = await owner.open(UNKNOWN, **referring(owner, came), **{"hx-request": "true", "hx-target": "div#main"})
    assert fragment.status_code == 404
    assert links(fragment.text.replace("&amp;", "&"))[words] == came
    assert "<nav" not in fragment.text


@pytest.mark.parametrize(
    "referer",
    [
        "", "https://evil.example/w/acme", "//evil.example/", "{origin}//evil.example/w/", "{origin}/\\evil.example",
        "javascript:alert(1)", "{origin}@evil.example/w/acme", "{origin}/sign-in", "{origin}/invitations/secret",
        "{origin}/%2f%2fevil.example", "{origin}" + UNKNOWN, "http://[/",
    ],
)  # fmt: skip
async def test_it_leads_to_the_list_above_if_the_referrer_is_no_page_to_return_to(owner: Browser, team: Team, referer: str) -> None:
    answer = await owner.open(UNKNOWN, referer=referer.replace("{origin}", owner.origin))
    assert links(answer.text) == {"Back to API keys": KEYS, "Go to overview": "/w/acme"}


async def test_a_signed_in_user_keeps_the_navigation_wherever_the_error_is(owner: Browser, team: Team, browser: Browser) -> None:
    for path in ("/nowhere", "/w/nobody", "/w/acme/nowhere"):
        answer = await owner.open(path)
        assert answer.status_code == 404
        assert 'href="/w/acme/settings/members"' in answer.text, path
        assert links(answer.text)["Go to overview"] == "/w/acme"
    answer = await browser.open("/nowhere")
    assert "<nav" not in answer.text


async def test_a_refusal_says_what_was_not_done_and_how_to_go_on(owner: Browser, viewer: Browser, team: Team) -> None:
    refused = await viewer.open(f"{KEYS}/new/x", **referring(viewer, KEYS))
    assert refused.status_code == 404
    form = {"csrf": "", "name": "x" * 70_000}
    large = await owner.post(KEYS, form, **owner.same_origin_headers, **referring(owner, f"{KEYS}/new"))
    assert large.status_code == 413
    assert "Nothing was changed. Go back, shorten what you entered" in large.text
    assert links(large.text) == {"Back to where you were": f"{KEYS}/new", "Go to overview": "/w/acme"}
    role = await viewer.open("/w/acme/settings/workspace/deletion", **referring(viewer, "/w/acme/settings/workspace"))
    assert role.status_code == 403
    assert "ask an owner of the workspace" in role.text
    assert links(role.text)["Back to Workspace"] == "/w/acme/settings/workspace"


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Unavailable(internal="the database is away"), 503, "cannot answer right now"),
        (TooManyAttempts(180), 429, "You can try again in 3 minutes."),
        (RuntimeError("a bug"), 500, "It has been logged as"),
    ],
)
async def test_a_page_that_failed_can_be_tried_again(
    owner: Browser,
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    status: int,
    words: str,
) -> None:
    async def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(plans, "meter", fail)
    answer = await owner.open("/w/acme/settings/plan?a=b", **referring(owner, KEYS))
    assert answer.status_code == status
    assert words in answer.text
    assert links(answer.text) == {
        "Try again": "/w/acme/settings/plan?a=b", "Back to API keys": KEYS, "Go to overview": "/w/acme"
    }  # fmt: skip
    if status == 500:
        (number,) = re.findall(r"logged as ([0-9a-f]{8})", answer.text)
        assert f"shown as error {number}" in caplog.text
        assert "a bug" not in answer.text
