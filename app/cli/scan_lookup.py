"""Whether found secrets are live: asked on the database, or over GraphQL by their digests. No secret leaves the machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from app import start
from app.cli.credential_output import of_credential
from app.cli.graphql_client import Declined, GraphqlClient
from app.cli.runner import OPERATOR, settings
from app.keys.key import Reason, Status
from app.keys.leak_digest import sha256_of
from app.keys.queries import MOST_DIGESTS
from app.leaks import credentials

T = TypeVar("T")
REASON: Final = Reason.COMMITTED_TO_REPOSITORY


class Unanswered(StrEnum):
    """What is said of a secret beside the statuses of keys."""

    UNKNOWN = "UNKNOWN"
    NOT_ASKED = "NOT_ASKED"


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a secret opens: the status of its key, and which one it is, if that is known."""

    status: Status | Unanswered
    id: str | None = None
    kind: str | None = None
    name: str | None = None
    workspace: str | None = None

    @property
    def is_dead(self) -> bool:
        """Whether the key can never be used again."""
        return self.status in (Status.REVOKED, Status.EXPIRED)

    @property
    def is_revocable(self) -> bool:
        return self.id is not None and not self.is_dead


NOT_ASKED: Final = LookupResult(Unanswered.NOT_ASKED)
_UNKNOWN: Final = LookupResult(Unanswered.UNKNOWN)


class Lookup(Protocol):
    """A place to ask. Both raise KeydeskError."""

    def look_up(self, secrets: Collection[str]) -> dict[str, LookupResult]: ...

    def revoke(self, notes: Mapping[str, str], known: Mapping[str, LookupResult]) -> dict[str, LookupResult]:
        """Revokes what these secrets open; each has a note that says where it was found. Returns what they open then."""
        ...


class ByDatabase:
    """Every credential of the installation, found by its keyed digest, which is computed here."""

    def look_up(self, secrets: Collection[str]) -> dict[str, LookupResult]:
        return _on_database(lambda: _look_up_all(secrets))

    def revoke(self, notes: Mapping[str, str], known: Mapping[str, LookupResult]) -> dict[str, LookupResult]:
        return _on_database(lambda: _revoked(notes))


@dataclass(frozen=True, slots=True)
class ByServer:
    """The API keys of one workspace, found by the SHA-256 of their secrets."""

    client: GraphqlClient
    workspace: str | None = None

    def look_up(self, secrets: Collection[str]) -> dict[str, LookupResult]:
        asked, found = list(secrets), dict[str, LookupResult]()
        for first in range(0, len(asked), MOST_DIGESTS):
            some = asked[first : first + MOST_DIGESTS]
            found |= zip(some, self._page(some), strict=True)
        return found

    def revoke(self, notes: Mapping[str, str], known: Mapping[str, LookupResult]) -> dict[str, LookupResult]:
        for secret, note in notes.items():
            self.client.change("keys/revoke", id=known[secret].id, reason=str(REASON), note=note)
        return self.look_up(notes)

    def _page(self, secrets: list[str]) -> list[LookupResult]:
        digests = [sha256_of(secret).hex() for secret in secrets]
        workspace = self.client.run("keys/leaked", {"workspace": self.workspace, "sha256": digests})
        if workspace is None or workspace["leakedApiKeys"] is None:
            raise Declined("This management key cannot read the keys of that workspace.")
        known = {each["sha256"]: each["apiKey"] for each in workspace["leakedApiKeys"]}
        return [_of_server(known.get(digest), workspace["slug"]) for digest in digests]


def _of_server(key: dict[str, Any] | None, workspace: str) -> LookupResult:
    return LookupResult(Status(key["status"]), key["id"], "API_KEY", key["name"], workspace) if key else _UNKNOWN


def _on_database(work: Callable[[], Awaitable[T]]) -> T:
    async def opened() -> T:
        async with start.opened(settings()):
            return await work()

    return asyncio.run(opened())


async def _look_up_all(secrets: Collection[str]) -> dict[str, LookupResult]:
    return {secret: await _look_up(secret) for secret in secrets}


async def _look_up(secret: str) -> LookupResult:
    if secret in settings().gateway_tokens:
        return LookupResult(Status.ACTIVE, None, "GATEWAY_TOKEN", "KEYDESK_GATEWAY_TOKENS")
    found = await credentials.opened_by(OPERATOR, secret)
    # What still works is reported of a secret that opens more than one thing.
    return await _described(min(found, key=credentials.is_revoked)) if found else _UNKNOWN


async def _revoked(notes: Mapping[str, str]) -> dict[str, LookupResult]:
    found = {secret: await credentials.opened_by(OPERATOR, secret) for secret in notes}
    ended = {
        secret: [await credentials.revoke(OPERATOR, each, REASON, notes[secret]) for each in opened]
        for secret, opened in found.items()
    }
    return {secret: await _described(opened[0]) for secret, opened in ended.items() if opened}


async def _described(found: credentials.Credential) -> LookupResult:
    data = await of_credential(found)
    return LookupResult(Status(data["status"]), data["id"], data["kind"], data["name"], data["workspace"])
