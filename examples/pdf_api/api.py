"""The API: five routes, behind the middleware that asks Keydesk about every request."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Final

import anyio
import httpx
from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from examples.pdf_api import problems
from examples.pdf_api.pdf import render, unprintable
from examples.pdf_api.settings import Settings
from examples.pdf_api.store import Pdf, PdfStore
from examples.pdf_api.templates import TEMPLATES, Template
from keydesk_client import PUBLIC, KeydeskKey, KeydeskMiddleware, Requirement

PERMISSIONS: Final[Mapping[str, Requirement]] = {
    "GET /": PUBLIC,
    "POST /pdfs": "pdf.generate",
    "GET /pdfs/{id}": "pdf.read",
    "GET /templates": "template.read",
    "GET /templates/{name}": "template.read",
}
HELP: Final = """\
A small API that makes PDFs. Send an API key in the header X-API-Key.

POST /pdfs              {"title": "…", "lines": ["…"], "template": "letter"}   pdf.generate
GET  /pdfs/{id}         the PDF                                                pdf.read
GET  /templates         what a PDF can look like                               template.read
GET  /templates/{name}  one of them                                            template.read
"""
LARGEST_BODY: Final = 128 * 1024


def _printable(text: str) -> str:
    if (character := unprintable(text)) is not None:
        raise ValueError(f"the fonts have no {character!r}")
    return text


def _known(name: str) -> str:
    if name not in TEMPLATES:
        raise ValueError(f"one of {', '.join(TEMPLATES)}")
    return name


class PdfRequest(BaseModel):
    """The PDF to generate."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_printable)]
    lines: Annotated[list[Annotated[str, Field(max_length=300), AfterValidator(_printable)]], Field(max_length=100)] = []
    template: Annotated[str, AfterValidator(_known)] = "letter"


def create(settings: Settings | None = None, transport: httpx.AsyncBaseTransport | None = None) -> KeydeskMiddleware:
    """Returns the complete application. Raises SettingsRefused. Tests replace the network by `transport`."""
    settings = settings or Settings.load(os.environ)
    return KeydeskMiddleware(
        _api(), url=settings.keydesk_url, token=settings.gateway_token, permissions=PERMISSIONS, transport=transport
    )


def _api() -> FastAPI:
    app = FastAPI(title="PDF API", openapi_url=None, max_body_size=LARGEST_BODY)
    store = PdfStore()
    # Rendering uses the CPU: one document at a time, so that other requests are served meanwhile.
    render_limiter = anyio.CapacityLimiter(1)
    problems.add_to(app)

    @app.get("/")
    async def help() -> Response:
        return Response(HELP, media_type="text/plain")

    @app.post("/pdfs", status_code=201)
    async def make(document: PdfRequest, request: Request, response: Response) -> dict[str, Any]:
        template = TEMPLATES[document.template]
        rendered = await anyio.to_thread.run_sync(render, template, document.title, tuple(document.lines), limiter=render_limiter)
        pdf = Pdf(KeydeskKey.of(request).workspace_id, document.title, template.name, rendered.pages, rendered.content)
        store.put(pdf)
        response.headers["location"] = f"/pdfs/{pdf.id}"
        return {"id": pdf.id, "title": pdf.title, "template": pdf.template, "pages": pdf.pages, "bytes": len(pdf.content)}

    @app.get("/pdfs/{id}")
    async def read(id: str, request: Request) -> Response:
        if (pdf := store.find(KeydeskKey.of(request).workspace_id, id)) is None:
            raise HTTPException(404, "There is no such PDF. They are kept for a while only.")
        headers = {"content-disposition": f'inline; filename="{pdf.id}.pdf"', "cache-control": "private, no-store"}
        return Response(pdf.content, headers=headers, media_type="application/pdf")

    @app.get("/templates")
    async def templates() -> list[Template]:
        return list(TEMPLATES.values())

    @app.get("/templates/{name}")
    async def template(name: str) -> Template:
        if name not in TEMPLATES:
            raise HTTPException(404, f"There is no such template; there are {', '.join(TEMPLATES)}.")
        return TEMPLATES[name]

    return app
