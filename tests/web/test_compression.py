"""Pages and files are compressed, except where the length of a page could give a secret away."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Team
from tests.web.conftest import Browser

GZIP = {"accept-encoding": "gzip"}


async def sent(browser: Browser, path: str, **headers: str) -> tuple[str | None, int]:
    """The encoding of an answer, and the number of bytes sent."""
    answer = await browser.open(path, **{name.replace("_", "-"): value for name, value in headers.items()})
    return answer.headers.get("content-encoding"), int(answer.headers["content-length"])


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_a_page_is_compressed_for_a_visitor_of_ours(owner: Browser, team: Team, site: str) -> None:
    path = f"/w/{team.workspace.slug}"
    plain, whole = await sent(owner, path, accept_encoding="identity", sec_fetch_site=site)
    encoding, short = await sent(owner, path, accept_encoding="gzip", sec_fetch_site=site)
    assert (plain, encoding) == (None, "gzip")
    assert short < whole / 2
    assert "<h1>Overview</h1>" in owner.page
    assert owner.shown is not None
    assert owner.shown.headers["vary"] == "HX-Request, Accept-Encoding, Sec-Fetch-Site"


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {}])
async def test_a_page_that_another_site_requested_is_not(owner: Browser, team: Team, headers: dict[str, str]) -> None:
    encoding, _ = await sent(owner, f"/w/{team.workspace.slug}", **GZIP, **headers)
    assert encoding is None


async def test_the_answer_to_a_form_is_not_because_it_can_show_a_secret(owner: Browser, team: Team) -> None:
    await owner.open(f"/w/{team.workspace.slug}/settings/members")
    form = owner.form(f"/w/{team.workspace.slug}/settings/members")
    answer = await owner.post(form.action, form.filled(email="bo@example.com"), **owner.same_origin_headers, accept_encoding="gzip")
    assert answer.status_code == 201
    assert "content-encoding" not in answer.headers


async def test_texts_among_the_files_are_compressed_once_and_fonts_are_not_again(browser: Browser) -> None:
    await browser.open("/sign-in")
    files = re.findall(r'"(/static/[^"]+)"', browser.page)
    assert {path.rpartition(".")[2] for path in files} == {"css", "js", "svg", "woff2"}
    for path in files:
        (plain, whole), (encoding, short) = await sent(browser, path, accept_encoding="identity"), await sent(browser, path, **GZIP)
        content = browser.page if encoding else ""
        assert plain is None
        assert encoding == ("gzip" if path.endswith(("css", "js")) else None), path
        assert short < whole / 2 if encoding else short == whole
        assert browser.shown is not None
        assert browser.shown.headers["cache-control"] == "max-age=31536000, public, immutable"
        assert await sent(browser, path, **GZIP) == (encoding, short)
        assert (browser.page if encoding else "") == content


async def test_a_file_that_does_not_exist_leaves_no_trace_in_what_was_compressed(browser: Browser) -> None:
    encoding, _ = await sent(browser, "/static/0/nothing.css", **GZIP)
    assert (encoding, browser.shown.status_code if browser.shown else 0) == (None, 404)


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"), ("br, gzip;q=0.5", "gzip"), ("GZIP; q=1.0", "gzip"), ("gzip;q=0.01", "gzip"),
        ("gzip;q=0", None), ("identity, gzip;q=0.0, br", None), ("gzip2", None), ("", None),
    ],
)  # fmt: skip
async def test_caches_know_what_an_answer_depends_on_and_a_weight_of_zero_refuses(
    browser: Browser, accepted: str, encoding: str | None
) -> None:
    await browser.open("/sign-in")
    (path,) = re.findall(r'"(/static/[^"]+/desk\.css)"', browser.page)
    answer = await browser.open(path, **{"accept-encoding": accepted})
    assert (answer.headers.get("content-encoding"), answer.headers["vary"]) == (encoding, "Accept-Encoding")
    assert answer.headers["etag"].startswith("W/") is (encoding is not None)


@pytest.mark.parametrize("detour", ["/css/%2e/desk.css", "/js/%2e%2e/css/desk.css", "/css//desk.css"])
async def test_other_spellings_of_a_files_address_are_not_kept(browser: Browser, detour: str) -> None:
    await browser.open("/sign-in")
    (path,) = re.findall(r'"(/static/[^"]+)/css/desk\.css"', browser.page)
    assert (await browser.open(path + "/css/desk.css", **GZIP)).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in (await browser.open(path + detour, **GZIP)).headers
