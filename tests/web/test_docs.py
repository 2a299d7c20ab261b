"""The documentation as pages: every guide is there, its links lead on, and nothing else of the disk is served."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from importlib.metadata import version
from itertools import chain

import pytest

from app.main import create_app
from app.paths import DOCS
from app.settings import Settings
from app.web.presentation import guides
from tests.conftest import Team
from tests.web.conftest import Browser

FILES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def address(file: str) -> str:
    return f"/docs/{file.removesuffix('README.md').removesuffix('.md')}".rstrip("/")


@pytest.mark.parametrize("file", FILES)
async def test_every_guide_is_a_page_whose_links_and_anchors_lead_on(browser: Browser, file: str) -> None:
    """Without a session."""
    assert (await browser.open(address(file))).status_code == 200
    body = browser.page.partition('<article class="prose">')[2].partition("</article>")[0]
    assert body.count("<h1") == 1 and "](" not in re.sub(r"<(pre|code).*?</\1>", "", body, flags=re.S)
    ids = re.findall(r' id="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    for target in map(html.unescape, re.findall(r'(?:href|src)="([^"]+)"', body)):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        assert not path or path.startswith("/docs"), target
        there = await browser.client.get(path) if path else browser.shown
        assert there is not None and there.status_code == 200, target
        assert not anchor or f'id="{anchor}"' in there.text, target


async def test_the_contents_name_every_guide_once(browser: Browser) -> None:
    listed = [entry.address for entry in chain(*guides.contents().values())]
    own = {address(file) for file in FILES if "/" not in file} - {"/docs"} | {"/docs/decisions"}
    assert len(listed) == len(set(listed)) and set(listed) == own
    await browser.open("/docs/rotation")
    assert '<a href="/docs/rotation" aria-current="page">' in browser.page and "Sign in" in browser.page


async def test_html_in_a_guide_is_shown_and_never_used() -> None:
    rendered, _ = guides.rendered("<script>alert(1)</script> `<b>`\n\n[x](javascript:alert(1))\n\n```\n<i>\n```\n\n# <u>\n")
    assert not re.search(r"<(script|b|i|u)>", rendered) and 'href="javascript:' not in rendered
    assert "&lt;script&gt;" in rendered and "&lt;i&gt;" in rendered


async def test_the_commands_of_a_guide_lead_to_this_installation_and_the_configuration_of_a_proxy_to_the_example(
    settings: Settings, db: None
) -> None:
    """A proxy that led to the public address would lead to itself."""
    browser = Browser(create_app(replace(settings, dev=False, public_url="https://desk.example.org")))
    for name in ("graphql", "verification", "client"):
        await browser.open(f"/docs/{name}")
        code = "".join(re.findall(r"<pre.*?</pre>", browser.page, re.S))
        assert "https://desk.example.org" in code and guides.EXAMPLE_ORIGIN not in code
    await browser.open("/docs/operations")
    assert f"proxy_pass {guides.EXAMPLE_ORIGIN};" in browser.page and "proxy_pass https:" not in browser.page


@pytest.mark.parametrize(
    ("path", "kind"),
    [("openapi.json", "application/json"), ("performance.svg", "image/svg+xml"), ("img/api-keys.png", "image/png")],
)
async def test_files_that_guides_use_are_served_as_they_are(browser: Browser, path: str, kind: str) -> None:
    answer = await browser.open(f"/docs/{path}")
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, kind)
    assert answer.content == (DOCS / path).read_bytes()


async def test_an_example_is_plain_text(browser: Browser) -> None:
    answer = await browser.open("/docs/examples/keydesk_detector.py")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8" and "class " in answer.text


@pytest.mark.parametrize(
    "path",
    ["nothing", "README", "README.md", "decisions/README", "examples", "..%2FREADME", "..%2F..%2Fetc%2Fpasswd", "rotation.md/x"],
)
async def test_nothing_else_is_found(browser: Browser, path: str) -> None:
    assert (await browser.open(f"/docs/{path}")).status_code == 404


async def test_a_page_links_to_the_guides_that_help_there(viewer: Browser, team: Team) -> None:
    for path, guide in (
        ("", "dashboard"), ("/settings/api-keys", "verification"), ("/alerts", "alerts"), ("/checklist", "checklist"),
        ("/settings/calendar", "alerts"), ("/search", "dashboard"),
    ):  # fmt: skip
        await viewer.open(f"/w/{team.slug}{path}")
        assert f'href="/docs/{guide}" target="_blank"' in viewer.page, path


async def test_every_page_of_a_workspace_names_the_version_and_links_to_the_documentation(viewer: Browser, team: Team) -> None:
    for path in ("", "/settings/api-keys", "/alerts", "/settings/plan"):
        await viewer.open(f"/w/{team.slug}{path}")
        foot = viewer.page.partition('<footer class="guides">')[2].partition("</footer>")[0]
        assert f"Keydesk {version('keydesk')}" in foot and 'href="/docs"' in foot, path
