"""GitHub's public keys, from a URL or a file, kept in memory."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

from app.errors import Unavailable
from app.leaks.signature import PublicKey, public_key

FETCH_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 24 * 3_600.0
# Unknown identifiers, which anyone can send, cause no more than one request in this time.
RETRY_SECONDS: Final = 60.0
_LARGEST: Final = 256 * 1024
# A file with one key in PEM form: it is the key of every identifier.
_ANY: Final = ""
_log = logging.getLogger("keydesk.leaks")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The keys come from the address in the settings and from no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


class KeySet:
    """`source`: a URL or a path. Keys are read when they are first needed, again after a day, and for an unknown identifier."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, PublicKey] = {}
        self._read_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, identifier: str) -> PublicKey | None:
        """The key with this identifier. Raises Unavailable as long as no keys could be read."""
        async with self._lock:
            now = time.monotonic()
            needed = self._known(identifier) is None or now - self._read_at > FRESH_SECONDS
            if needed and now - self._tried_at > RETRY_SECONDS:
                self._tried_at = now
                await self._read(now)
        if not self._keys:
            raise Unavailable(internal="GitHub's public keys could not be read")
        return self._known(identifier)

    def _known(self, identifier: str) -> PublicKey | None:
        return self._keys.get(identifier) or self._keys.get(_ANY)

    async def _read(self, now: float) -> None:
        """Keys that were read before stay valid if this fails."""
        try:
            async with asyncio.timeout(2 * FETCH_SECONDS):
                content = await asyncio.to_thread(_content, self._source)
            self._keys, self._read_at = parsed(content), now
        except (OSError, ValueError, TimeoutError) as error:
            _log.warning("GitHub's public keys cannot be read from %s: %s", self._source, error)


def parsed(content: bytes) -> dict[str, PublicKey]:
    """The keys by identifier: GitHub's JSON, or one key in PEM form. Raises ValueError."""
    if content.lstrip().startswith(b"-----BEGIN"):
        return {_ANY: public_key(content)}
    try:
        listed = json.loads(content)["public_keys"]
        return {str(each["key_identifier"]): public_key(str(each["key"]).encode()) for each in listed}
    except (LookupError, TypeError) as error:
        raise ValueError("it is no list of public keys") from error


def _content(source: str) -> bytes:
    """Blocks. Raises OSError."""
    if "://" not in source:
        return Path(source).read_bytes()
    request = urllib.request.Request(source, headers={"accept": "application/json", "user-agent": "keydesk"})  # noqa: S310 - http(s) only, checked by the settings
    with urllib.request.build_opener(_NoRedirect()).open(request, timeout=FETCH_SECONDS) as response:
        content: bytes = response.read(_LARGEST)
        return content
