"""Every page and every refusal has the security headers, reading changes nothing, and no name becomes markup."""

from __future__ import annotations

import html
import re

import httpx
import pytest

from app import database
from app.access.actor import Actor
from app.authentication import service as authentication
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.users import REQUEST
from tests.web.conftest import Browser, routes

POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'", "connect-src 'self'",
    "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'",
}  # fmt: skip
ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
NEVER = ("server", "x-powered-by", "access-control-allow-origin")
PAYLOADS = (
    '"><img src=x onerror=alert(1)>',
    "' hx-get=/sign-out hx-trigger=load x='",
    "</title><script>alert(1)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:alert(1)",
    "<svg/onload=alert(1)>",
    "</textarea></select><b onmouseover=alert(1)>",
)
STORED = ("workspace", "account", "member", "api_key", "link", "audit_entry", "management_key")


def secured(answer: httpx.Response) -> None:
    for name, value in ALWAYS.items():
        assert answer.headers.get_list(name) == [value], (answer.url, name)
    assert set(answer.headers["content-security-policy"].split("; ")) == POLICY
    assert not [name for name in NEVER if name in answer.headers]


async def test_every_route_has_the_headers_with_and_without_a_session(owner: Browser, browser: Browser, team: Team) -> None:
    paths = [*routes("GET", team), "/nowhere", "/w/nobody", "/sign-out"]
    for path in paths:
        for visitor in (owner, browser):
            answer = await visitor.open(path)
            assert answer.status_code < 500, path
            secured(answer)
    for path in routes("POST", team):
        secured(await browser.post(path, {}, **browser.same_origin_headers))
        secured(await browser.post(path, {}))


async def test_a_fragment_has_the_headers_too(owner: Browser, team: Team) -> None:
    for path in routes("GET", team):
        answer = await owner.open(path, **{"HX-Request": "true", "HX-Target": "main#main"})
        secured(answer)
        if not answer.headers["content-type"].startswith("text/html"):  # JSON for the explorer, or a file
            continue
        assert "<html" not in answer.text
        assert answer.headers.get("vary", "").startswith("HX-Request,") or "hx-redirect" in answer.headers


async def test_reading_changes_nothing(owner: Browser, team: Team) -> None:
    await make_key(team)
    before = [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in STORED]
    for path in routes("GET", team):
        await owner.open(path)
        await owner.client.head(path)
    after = [await database.fetch(f"SELECT * FROM {table} ORDER BY 1") for table in STORED]
    # The last visited workspace is stored for the next sign-in.
    assert [_without(rows, "last_workspace") for rows in after] == [_without(rows, "last_workspace") for rows in before]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_no_name_becomes_markup(owner: Browser, team: Team, payload: str) -> None:
    await workspaces.update(team.owner, team.slug, name=payload)
    for actor in (team.owner, team.viewer):
        await authentication.change_name(Actor.user(actor.id, actor.name, REQUEST), payload)
    key = await make_key(Team(team.workspace, Actor.user(team.owner.id, payload, REQUEST), team.editor, team.viewer), name=payload)
    paths = [path.replace("key_x", key.key.id) for path in routes("GET", team) if not path.endswith((".csv", ".jsonl"))]
    told = 0
    for path in paths:
        page = (await owner.open(path)).text
        assert payload not in page if set(payload) & set("<>\"'") else True, path
        assert "49" not in re.findall(r"(?:name|title)\W+(49)", page)
        told += page.count(html.escape(payload, quote=True).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    assert told > len(paths) // 2
    await _attributes_are_ours(owner, paths)


async def test_input_is_shown_again_as_text(owner: Browser, browser: Browser, team: Team) -> None:
    for payload in PAYLOADS:
        path = f"/w/{team.slug}/settings/members"
        await owner.open(path)
        assert (await owner.send(path, email=payload, role="viewer")).status_code == 422
        assert ("email", payload) in owner.form(path).values
        await browser.open("/sign-in")
        await browser.send("/sign-in", email=payload, password="wrong")
        assert ("email", payload) in browser.form("/sign-in").values
        assert "onerror=alert(1)>" not in owner.page + browser.page


async def _attributes_are_ours(owner: Browser, paths: list[str]) -> None:
    """Checks that no element got an event handler, a style, or an HTMX attribute with a foreign URL."""
    for path in paths:
        page = (await owner.open(path)).text
        for tag in re.findall(r"<[a-z][^>]*>", page):
            attributes = re.sub(r"\"[^\"]*\"|'[^']*'", "", tag)
            assert not re.search(r"\s(on\w+|style)\s*=", attributes), tag
            assert "hx-get" not in attributes or "/sign-out" not in tag, tag
        assert "javascript:" not in "".join(re.findall(r'(?:href|src|action)="([^"]*)"', page))


def _without(rows: list[dict[str, object]], column: str) -> list[dict[str, object]]:
    return [{name: value for name, value in row.items() if name != column} for row in rows]


async def test_well_known_urls_of_browsers_crawlers_and_password_managers_are_answered(browser: Browser) -> None:
    icon = await browser.open("/favicon.ico")
    assert icon.status_code == 302 and (await browser.open(icon.headers["location"])).headers["content-type"] == "image/svg+xml"
    robots = await browser.open("/robots.txt")
    assert (robots.status_code, robots.text) == (200, "User-agent: *\nDisallow: /\n")
    change = await browser.open("/.well-known/change-password")
    assert (change.status_code, change.headers["location"]) == (302, "/account#password")
