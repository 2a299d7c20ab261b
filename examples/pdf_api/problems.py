"""Errors as RFC 9457 bodies, like those of the middleware."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException


def add_to(app: FastAPI) -> None:
    """Gives all errors of this app the same form."""

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = [{"field": _field(fault["loc"]), "message": fault["msg"]} for fault in error.errors()]
        return _problem(422, "The document cannot be made as described.", errors=faults)


def _field(location: tuple[str | int, ...]) -> str:
    """`lines.3` for `("body", "lines", 3)`."""
    return ".".join(str(part) for part in location[1:]) or "body"


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    problem = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(problem, status, headers, "application/problem+json")
