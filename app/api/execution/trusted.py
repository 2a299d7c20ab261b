"""Trusted documents: the published operations, which clients may name by their SHA-256 instead of sending them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from app.paths import OPERATIONS

_PREFIX: Final = "sha256:"


def published() -> dict[str, str]:
    """The text of each file of `graphql/operations/` by its SHA-256 in hexadecimal, which `sha256sum` prints."""
    texts = [path.read_bytes().decode() for path in sorted(OPERATIONS.rglob("*.graphql"))]
    return {digest_of(text): text for text in texts}


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def named_digest(document_id: str | None, extensions: Mapping[str, Any] | None) -> str | None:
    """The digest that a request names: `documentId` (GraphQL over HTTP, Persisted Documents), else `extensions.persistedQuery`,
    which the clients of Apollo and urql send."""
    if document_id is not None:
        return document_id.removeprefix(_PREFIX).lower()
    named = (extensions or {}).get("persistedQuery")
    digest = named.get("sha256Hash") if isinstance(named, dict) else None
    return str(digest).lower() if named is not None else None
