"""OpenAPI 3.1 of `/v1`: schemas from the structs of requests and answers, and what each route takes and answers."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

import msgspec

from app.leaks.revocation_request import REASONS, RevocationRequest
from app.leaks.routes import ReportedMatch
from app.verification.answers import Accepted, Denied, Ended, KeyItself, LeakLabel, Problem, UsageTaken
from app.verification.http import TITLES
from app.verification.requests import UsageEvent, UsageRequest, VerifyRequest

Json = dict[str, Any]
_STRUCTS: Final = (
    *(VerifyRequest, UsageRequest, UsageEvent, RevocationRequest, ReportedMatch),
    *(Accepted, Denied, UsageTaken, KeyItself, Ended, LeakLabel, Problem),
)
_ADDRESS: Final[list[Json]] = [{"type": "string", "format": form} for form in ("ipv4", "ipv6")]
_REF: Final = "#/components/schemas/"
_KEY: Final[list[Json]] = [{"apiKey": []}, {"apiKeyAsBearer": []}]
_ANY_NOTICE: Final = ("Deprecation", "Sunset")
# Whatever a route does, it may fail.
_ALWAYS: Final = (500, 503)
_WITH_BODY: Final = (408, 413, 415)


def document() -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keydesk",
            "version": version("keydesk"),
            "description": "Verification of API keys, as docs/verification.md explains it.",
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/verify": {"post": _verify()},
            "/v1/forward-auth": {"get": _forward_auth()},
            "/v1/usage": {"post": _usage()},
            "/v1/self": {"get": _self()},
            "/v1/self/revocation": {"post": _revocation()},
            "/v1/leaks": {"post": _leaks()},
        },
        "components": {"schemas": _schemas(), "securitySchemes": _security(), "headers": _headers()},
    }


def _verify() -> Json:
    answer = _json({"anyOf": [_ref("Accepted"), _ref("Denied")]}, "A verdict.", *_ANY_NOTICE)
    return _operation(
        "verify",
        "May this request pass?",
        [{"gatewayToken": []}],
        {"200": answer, **_problems(400, 401, *_WITH_BODY)},
        _body(_ref("VerifyRequest")),
    )


def _forward_auth() -> Json:
    names = ("X-Request-Id", "X-Key-Id", "X-Workspace-Id", "X-Key-Environment", "X-Key-Permissions", "X-Outcome-Follows")
    passed = {"description": "The request may pass.", "headers": _named(*names, *_ANY_NOTICE)}
    security = [{"gatewayTokenOfProxy": [], **each} for each in _KEY]
    found = _operation(
        "forwardAuth",
        "May this request pass? For gateways; any method will do.",
        security,
        {"204": passed, **_problems(400, 401, 403)},
    )
    found["parameters"] = [
        *({"name": name, "in": "query", "required": False, "schema": {"type": "string"}} for name in ("permission", "environment")),
        {"name": "outcomeFollows", "in": "query", "required": False, "schema": {"type": "boolean", "default": False}},
        {"name": "X-Forwarded-For", "in": "header", "required": False, "schema": {"type": "string"}},
    ]
    return found


def _usage() -> Json:
    answers = {"200": _json(_ref("UsageTaken"), "What was counted."), **_problems(400, 401, *_WITH_BODY)}
    return _operation("reportUsage", "How requests ended.", [{"gatewayToken": []}], answers, _body(_ref("UsageRequest")))


def _self() -> Json:
    answers = {"200": _json(_ref("KeyItself"), "What the key may do.", *_ANY_NOTICE), **_problems(400, 401, 403, 429)}
    return _operation("getSelf", "What may this key do?", _KEY, answers)


def _revocation() -> Json:
    answers = {"200": _json(_ref("Ended"), "Alike for unknown secrets."), **_problems(400, 401, 403, 429, *_WITH_BODY)}
    return _operation("revokeSelf", "End this key.", _KEY, answers, _body(_ref("RevocationRequest"), required=False))


def _leaks() -> Json:
    labels = _json({"type": "array", "items": _ref("LeakLabel")}, "A label for each match.")
    body = _body({"type": "array", "items": _ref("ReportedMatch")})
    found = _operation(
        "reportLeaks", "Reports of GitHub's secret scanning.", [], {"200": labels, **_problems(400, 404, 429, *_WITH_BODY)}, body
    )
    found["parameters"] = [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in ("Github-Public-Key-Identifier", "Github-Public-Key-Signature")
    ]
    return found


def _operation(name: str, summary: str, security: list[Json], responses: Json, body: Json | None = None) -> Json:
    found = {"operationId": name, "summary": summary, "security": security, "responses": responses | _problems(*_ALWAYS)}
    return found if body is None else {**found, "requestBody": body}


def _body(schema: Json, *, required: bool = True) -> Json:
    return {"required": required, "content": {"application/json": {"schema": schema}}}


def _json(schema: Json, description: str, *headers: str) -> Json:
    found: Json = {"description": description, "content": {"application/json": {"schema": schema}}}
    return {**found, "headers": _named(*headers)} if headers else found


def _problems(*statuses: int) -> Json:
    own = {401: ["WWW-Authenticate"], 403: [], 429: ["Retry-After"], 503: ["Retry-After"]}
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {
        str(status): {
            "description": TITLES[status],
            "content": content,
            **({"headers": _named(*own[status])} if own.get(status) else {}),
        }
        for status in statuses
    }


def _named(*headers: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _headers() -> Json:
    always = (
        "X-Request-Id",
        "X-Key-Id",
        "X-Workspace-Id",
        "X-Key-Environment",
        "X-Key-Permissions",
        "WWW-Authenticate",
        "Retry-After",
    )
    text = {"schema": {"type": "string"}}
    sometimes = ("X-Outcome-Follows", *_ANY_NOTICE)
    return {name: {**text, "required": True} for name in always} | {name: {**text, "required": False} for name in sometimes}


def _security() -> Json:
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "gatewayToken": bearer,
        "gatewayTokenOfProxy": {"type": "apiKey", "in": "header", "name": "X-Gateway-Token"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        "apiKeyAsBearer": bearer,
    }


def _schemas() -> Json:
    _, found = msgspec.json.schema_components(_STRUCTS, ref_template=_REF + "{name}")
    # What the structs decode later or more strictly than their types say.
    found["UsageRequest"]["properties"]["events"]["items"] = _ref("UsageEvent")
    found["RevocationRequest"]["properties"]["reason"] = {"enum": [*sorted(REASONS), None], "default": "OTHER"}
    found["RevocationRequest"]["additionalProperties"] = False
    del found["Reason"]
    for name in ("VerifyRequest", "UsageEvent"):
        found[name]["properties"]["ip"] = {"anyOf": [*_ADDRESS, {"type": "null"}], "default": None}
    return dict(sorted(found.items()))


def _ref(name: str) -> Json:
    return {"$ref": _REF + name}
