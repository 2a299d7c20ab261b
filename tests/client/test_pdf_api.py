"""The example API: real PDFs for keys with the permission, behind the real Keydesk."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pypdf
import pytest

from app.keys import service as keys
from app.keys.key import Reason
from examples.pdf_api.api import LARGEST_BODY, create
from examples.pdf_api.pdf import render
from examples.pdf_api.settings import Settings, SettingsRefused
from examples.pdf_api.store import Pdf, PdfStore
from examples.pdf_api.templates import TEMPLATES
from keydesk_client import KeydeskMiddleware
from tests.client.conftest import URL, Upstream, caller, counted
from tests.conftest import GATEWAY_TOKEN, Team, make_key

ORDER = {"title": "Invoice no. 7", "lines": ["Ein Stück Käse – 7 €", "“Two”"], "template": "list"}


@pytest.fixture
def api(upstream: Upstream) -> KeydeskMiddleware:
    return create(Settings(keydesk_url=URL, gateway_token=GATEWAY_TOKEN), upstream)


def text_of(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)


async def test_a_key_makes_a_pdf_and_reads_it_back_and_both_are_counted(team: Team, api: KeydeskMiddleware) -> None:
    made = await make_key(team)
    async with caller(api, made.secret) as client:
        created = await client.post("/pdfs", json=ORDER)
        assert created.status_code == 201
        assert created.json() | {"id": None, "bytes": None} == {
            "id": None, "bytes": None, "title": "Invoice no. 7", "template": "list", "pages": 1,
        }  # fmt: skip
        read = await client.get(created.headers["location"])
    await api.aclose()
    assert (read.status_code, read.headers["content-type"]) == (200, "application/pdf")
    assert len(read.content) == created.json()["bytes"]
    assert text_of(read.content).split("\n") == ["Invoice no. 7", "1. Ein Stück Käse – 7 €", "2. “Two”"]
    assert await counted(team, made.key.id) == (2, 0)


async def test_each_route_wants_its_own_permission_and_the_help_wants_none(team: Team, api: KeydeskMiddleware) -> None:
    made = await make_key(team, permissions=("pdf.read",))
    async with caller(api) as client:
        assert "POST /pdfs" in (await client.get("/")).text
        assert (await client.get("/templates")).status_code == 401
    async with caller(api, made.secret) as client:
        denied = {
            path: (await client.request(method, path)).json()["missingPermission"]
            for method, path in (("POST", "/pdfs"), ("GET", "/templates"), ("GET", "/templates/letter"))
        }
        assert denied == {"/pdfs": "pdf.generate", "/templates": "template.read", "/templates/letter": "template.read"}
        assert (await client.get("/pdfs/none")).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 403
    await api.aclose()
    assert await counted(team, made.key.id) == (0, 4)


async def test_templates_are_listed_and_shown(team: Team, api: KeydeskMiddleware) -> None:
    made = await make_key(team, permissions=("template.read",))
    async with caller(api, made.secret) as client:
        listed = (await client.get("/templates")).json()
        assert [template["name"] for template in listed] == ["letter", "list", "receipt"]
        assert (await client.get("/templates/receipt")).json() == listed[2]
        unknown = await client.get("/templates/poster")
    await api.aclose()
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert unknown.json()["detail"] == "There is no such template; there are letter, list, receipt."


async def test_another_workspaces_pdf_is_not_found_like_one_that_does_not_exist(
    team: Team, other_team: Team, api: KeydeskMiddleware
) -> None:
    ours, theirs = await make_key(team), await make_key(other_team)
    async with caller(api, ours.secret) as client:
        location = (await client.post("/pdfs", json=ORDER)).headers["location"]
    async with caller(api, theirs.secret) as client:
        other, never = await client.get(location), await client.get("/pdfs/pdf_none")
    await api.aclose()
    assert other.status_code == 404
    assert other.content == never.content


async def test_a_revoked_key_makes_no_more_pdfs(team: Team, api: KeydeskMiddleware) -> None:
    made = await make_key(team)
    async with caller(api, made.secret) as client:
        assert (await client.post("/pdfs", json=ORDER)).status_code == 201
        await keys.revoke(team.owner, made.key.id, Reason.NO_LONGER_NEEDED)
        assert (await client.post("/pdfs", json=ORDER)).status_code == 401
    await api.aclose()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"title": None}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "кириллица"}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"lines": "text"}, "lines"),
        ({"lines": ["x"] * 101}, "lines"),
        ({"lines": ["x", "x" * 301]}, "lines.1"),
        ({"lines": ["x", "\x00"]}, "lines.1"),
        ({"lines": ["🗝"]}, "lines.0"),
        ({"template": "poster"}, "template"),
        ({"template": "../letter"}, "template"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_faulty_document_is_refused_with_the_faults_at_their_fields(
    team: Team, api: KeydeskMiddleware, change: dict[str, Any], field: str
) -> None:
    made = await make_key(team)
    async with caller(api, made.secret) as client:
        content = json.dumps(ORDER | change)
        answer = await client.post("/pdfs", content=content, headers={"content-type": "application/json"})
    await api.aclose()
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await counted(team, made.key.id) == (0, 1)


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 422), (b"{", 422), (b"[]", 422), (b"null", 422), (b"\xff", 400), (b"[" * 100_000, 400)]
)
async def test_a_body_that_is_not_a_document_is_refused_clearly(
    team: Team, api: KeydeskMiddleware, content: bytes, status: int
) -> None:
    made = await make_key(team)
    async with caller(api, made.secret) as client:
        answer = await client.post("/pdfs", content=content, headers={"content-type": "application/json"})
    await api.aclose()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


async def test_a_body_that_is_too_large_is_not_read_to_its_end(team: Team, api: KeydeskMiddleware) -> None:
    made, read = await make_key(team), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 10 * LARGEST_BODY:
            yield b" " * 1024
            read += 1024

    async with caller(api, made.secret) as client:
        announced = await client.post("/pdfs", content=b" " * (LARGEST_BODY + 1))
        in_parts = await client.post("/pdfs", content=endless())
    await api.aclose()
    assert (announced.status_code, in_parts.status_code) == (413, 413)
    assert read <= LARGEST_BODY + 1024


def test_the_longest_allowed_text_becomes_pages_in_every_template() -> None:
    for template in TEMPLATES.values():
        rendered = render(template, "W" * 120, ("W" * 300,) * 100)
        assert len(pypdf.PdfReader(io.BytesIO(rendered.content)).pages) == rendered.pages > 5
        assert render(template, " ", ()).pages == 1


def test_the_oldest_pdfs_are_deleted_to_stay_within_the_limit() -> None:
    store = PdfStore(most_bytes=10)
    first, second, third = (Pdf("wsp_a", "t", "letter", 1, b"x" * 5) for _ in range(3))
    for pdf in (first, second, third):
        store.put(pdf)
    assert store.find("wsp_a", first.id) is None
    assert (store.find("wsp_a", second.id), store.find("wsp_a", third.id)) == (second, third)
    assert store.find("wsp_b", second.id) is None
    store.put(Pdf("wsp_a", "t", "letter", 1, b"x" * 11))
    assert store.find("wsp_a", third.id) is None


def test_settings_are_read_from_the_environment_and_faults_are_named() -> None:
    token = {"KEYDESK_GATEWAY_TOKEN": GATEWAY_TOKEN}
    assert Settings.load(token) == Settings(keydesk_url="http://127.0.0.1:8000", gateway_token=GATEWAY_TOKEN, port=8100)
    assert Settings.load(token | {"PDF_API_PORT": "9000", "KEYDESK_URL": URL}).port == 9000
    assert GATEWAY_TOKEN not in repr(Settings.load(token))
    with pytest.raises(SettingsRefused, match="KEYDESK_GATEWAY_TOKEN"):
        Settings.load({})
    for port in ("x", "0", "65536", "-1", "9" * 5_000, "²"):
        with pytest.raises(SettingsRefused, match="PDF_API_PORT"):
            Settings.load(token | {"PDF_API_PORT": port})


async def test_without_keydesk_no_pdf_is_made(team: Team, upstream: Upstream, api: KeydeskMiddleware) -> None:
    made = await make_key(team)
    upstream.down = True
    async with caller(api, made.secret) as client:
        answer: httpx.Response = await client.post("/pdfs", json=ORDER)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
