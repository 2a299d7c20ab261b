"""For the night something leaks: whose secrets these are, and an end to them. They come from stdin or a hidden prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from app import database
from app.cli import reading, words
from app.cli.frame import OPERATOR, Said, columns, command, leaked, settings
from app.errors import Conflict, NotFound
from app.gateways import service as gateways
from app.gateways.token import GatewayToken
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import ApiKey, Reason
from app.management import service as management
from app.management.key import ManagementKey

_OF_SETTINGS: Final = "This is one of KEYDESK_GATEWAY_TOKENS. Take it out there and restart every node."
_NOTHING_UNDERSTOOD: Final = (
    "Nothing in it has the shape of a key or a token. It may be compressed or encoded: this is no all-clear."
)

Credential = ApiKey | ManagementKey | GatewayToken


_INCOMPLETE: Final = 3


@dataclass(frozen=True, slots=True)
class _Search:
    """What all that was read opens, and what it left unanswered."""

    found: tuple[Credential, ...]
    notes: tuple[str, ...] = ()
    exit_code: int = 0


@command("find")
async def find() -> Said:
    """Tell whose secrets these are.

    Reads all of stdin: any text in any encoding that holds secrets of API keys, management keys or gateway tokens. Ends
    with 0 if each is known, 1 if none is, and 3 if something stays unanswered: read what it says.
    """
    search = await _found(leaked("Secret"))
    return await _said(search.found, *search.notes, exit_code=search.exit_code)


@command("revoke")
@click.option("--reason", required=True, type=click.Choice([*Reason]), help="Why; the workspace reads it too.")
@click.option("--note", metavar="TEXT", help="More about it.")
@click.option("--key", "key_id", metavar="ID", help="The API key key_…, where the secret is not at hand.")
async def revoke(reason: str, note: str | None, key_id: str | None) -> Said:
    """Revoke what secrets open, permanently.

    Reads all secrets as find does, unless --key names an API key, and ends as find does. When this returns, no request
    that begins afterwards is accepted with any of them, on any node. Reason and note are kept for API keys.
    """
    search = _Search((await keys.get(OPERATOR, key_id),)) if key_id else await _found(leaked("Secret"))
    ended = [await _ended(found, Reason(reason), note) for found in search.found]
    return await _said(ended, *search.notes, *_worries(), exit_code=search.exit_code)


async def _found(raw: bytes) -> _Search:
    """Raises NotFound if each secret is unknown, Conflict if all are the settings', which only they can take back."""
    text = reading.text_of(raw)
    read, of_settings = reading.read(text), sum(token in text for token in settings().gateway_tokens)
    looked_up = {secret: await _opened_by(secret) for secret in read.whole if secret not in settings().gateway_tokens}
    found = tuple({each.id: each for each in looked_up.values() if each is not None}.values())
    unknown = sum(each is None for each in looked_up.values())
    if not found and not read.pieces and (unknown or of_settings):
        raise Conflict(_OF_SETTINGS) if of_settings else NotFound("key or token")
    notes = (
        *([_OF_SETTINGS] if of_settings else []),
        *([f"Not known: {unknown}."] if unknown else []),
        *([f"Cut short or mistyped, so not looked up: {read.pieces}."] if read.pieces else []),
        *([_NOTHING_UNDERSTOOD] if not looked_up and not read.pieces else []),
    )
    return _Search(found, (f"Found: {len(found)}.", *notes) if notes else (), _INCOMPLETE if notes else 0)


async def _opened_by(secret: str) -> Credential | None:
    for look in (keys.find_by_secret, management.find_by_secret, gateways.find_by_secret):
        found: Credential | None = await look(OPERATOR, secret)
        if found is not None:
            return found
    return None


async def _ended(found: Credential, reason: Reason, note: str | None) -> Credential:
    match found:
        case ApiKey():
            return await keys.revoke(OPERATOR, found.id, reason, note)
        case ManagementKey():
            return await management.revoke(OPERATOR, found.id)
        case GatewayToken():
            return await gateways.revoke(OPERATOR, found.id)


async def _shown(found: Credential) -> dict[str, Any]:
    if isinstance(found, GatewayToken):
        return words.of_gateway_token(found, await words.workspace_of(found.workspace_id) if found.workspace_id else None)
    workspace, now = await words.workspace_of(found.workspace_id), await database.now()
    return words.of_key(found, workspace, now) if isinstance(found, ApiKey) else words.of_management_key(found, workspace, now)


async def _said(credentials: Sequence[Credential], *notes: str, exit_code: int) -> Said:
    """One JSON object for one, an array for any other number."""
    shown = [await _shown(each) for each in credentials]
    lines = [line for index, data in enumerate(shown) for line in ([""] if index else []) + [*columns(words.rows(data))]]
    return Said(shown[0] if len(shown) == 1 else shown, tuple(lines), notes, exit_code)


def _worries() -> tuple[str, ...]:
    failing = journal.current().failing
    return (f"It is revoked, but the revocation journal cannot be written: {failing}",) if failing else ()
