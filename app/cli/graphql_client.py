"""A GraphQL client for a remote Keydesk, with a management key: for commands that need no database and no settings.

The standard library's HTTP is enough for one small request at a time. The key is sent to this URL only: no redirect is
followed, and no error or log line contains it.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from app.errors import KeydeskError, StartRefused
from app.paths import OPERATIONS

SERVER, KEY = "KEYDESK_SERVER", "KEYDESK_MANAGEMENT_KEY"
TIMEOUT_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 16 * 1024 * 1024
# Busy or temporarily unavailable: worth a retry. Any other refusal would repeat.
_PASSING: Final = frozenset({408, 425, 429})


class Unanswered(KeydeskError):
    """No conclusive answer: the request may have taken effect or not, and can be retried."""


class Declined(KeydeskError):
    """The server refused, and would refuse a retry. `code` is the problem's code, or empty."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an answer: following it would send the key elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class GraphqlClient:
    """A client for the Keydesk at `url`."""

    url: str
    key: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str], *, scope: str = "keys.write") -> GraphqlClient:
        """The client that the environment configures; `scope`: what its key needs. Raises StartRefused."""
        url, key = environment.get(SERVER, "").strip(), environment.get(KEY, "").strip()
        if not url or not key:
            raise StartRefused(f"Set {SERVER} to where Keydesk is, and {KEY} to a management key with the scope {scope}.")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
            raise StartRefused(f"{SERVER} is scheme, host and port, for example https://keys.example.com.")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise StartRefused(f"{KEY} holds no management key.")
        return cls(url.rstrip("/"), key)

    def run(self, operation: str, variables: Mapping[str, Any]) -> Any:
        """Runs a published operation (`rotations/start`) and returns its one root field. Blocks. Raises Unanswered, Declined."""
        text = Path(OPERATIONS, f"{operation}.graphql").read_text(encoding="utf-8")
        content = self._post(json.dumps({"query": text, "variables": variables}).encode())
        if errors := content.get("errors"):
            raise _error(errors)
        (found,) = content["data"].values()
        return found

    def change(self, operation: str, **given: Any) -> Any:
        """The payload of a published mutation. Raises Unanswered, and Declined with the problem's code."""
        answer = self.run(operation, {"input": given})
        if answer is None or "message" in answer:
            raise _problem(answer or {})
        return answer

    def _post(self, body: bytes) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json", "user-agent": "keydesk"}
        request = urllib.request.Request(f"{self.url}/graphql", body, headers)  # noqa: S310 - `of` lets http and https through
        try:
            with urllib.request.build_opener(_NoRedirect()).open(request, timeout=TIMEOUT_SECONDS) as response:
                return _content(response.read(_LARGEST_ANSWER), self.url)
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise Unanswered(f"{self.url} does not answer: {reason or type(error).__name__}.") from None

    def _refusal(self, error: urllib.error.HTTPError) -> KeydeskError:
        with error:
            message = _server_message(error)
        if error.code >= 500 or error.code in _PASSING:
            return Unanswered(f"{self.url} cannot answer: {error.code}{message}")
        if error.code == 401:
            return Declined(f"{self.url} does not accept the key in {KEY}: it is unknown, expired or revoked.")
        return Declined(f"{self.url} answers {error.code}{message}")


def _content(body: bytes, url: str) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not ("data" in content or "errors" in content):
        raise Declined(f"What answers at {url} is no Keydesk.")
    return content


def _server_message(response: urllib.error.HTTPError) -> str:
    """Keydesk's own message, if the answer is Keydesk's and not a proxy's."""
    try:
        return ": " + str(json.loads(response.read(_LARGEST_ANSWER))["errors"][0]["message"])
    except (ValueError, LookupError, TypeError, OSError, http.client.HTTPException):
        return "."


def _error(errors: list[Any]) -> KeydeskError:
    code = str(errors[0].get("extensions", {}).get("code", ""))
    message = str(errors[0].get("message", ""))
    return Unanswered(message) if code in ("UNAVAILABLE", "INTERNAL_ERROR") else Declined(message, code)


def _problem(answer: dict[str, Any]) -> Declined:
    fields = " ".join(str(fault["message"]) for fault in answer.get("fields") or ())
    return Declined(fields or str(answer.get("message", "It was refused.")), str(answer.get("code", "")))
