"""Identifies and revokes leaked secrets, which come from stdin or a hidden prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from app.cli import output, secret_scan
from app.cli.credential_output import of_credential
from app.cli.runner import OPERATOR, Result, columns, command, leaked, settings
from app.errors import Conflict, NotFound
from app.journal import file as journal
from app.keys import queries
from app.keys import service as keys
from app.keys.key import Reason
from app.leaks import credentials

_OF_SETTINGS: Final = "This is one of KEYDESK_GATEWAY_TOKENS. Take it out there and restart every node."
_NOTHING_UNDERSTOOD: Final = (
    "Nothing in it has the shape of a key or a token. It may be compressed or encoded: this is no all-clear."
)

_INCOMPLETE: Final = 3


@dataclass(frozen=True, slots=True)
class _Search:
    """The credentials that the text's secrets belong to, and what could not be resolved."""

    found: tuple[credentials.Credential, ...]
    notes: tuple[str, ...] = ()
    exit_code: int = 0


@command("find")
async def find() -> Result:
    """Tell whose secrets these are.

    Reads all of stdin: any text in any encoding that holds secrets of API keys, management keys or gateway tokens; or the
    secret of one imported key, alone. Ends with 0 if each is known, 1 if none is, and 3 if something stays unanswered: read
    what it says.
    """
    search = await _found(leaked("Secret"))
    return await _result(search.found, *search.notes, exit_code=search.exit_code)


@command("revoke")
@click.option("--reason", required=True, type=click.Choice([*Reason]), help="Why; the workspace reads it too.")
@click.option("--note", metavar="TEXT", help="More about it.")
@click.option("--key", "key_id", metavar="ID", help="The API key key_…, where the secret is not at hand.")
async def revoke(reason: str, note: str | None, key_id: str | None) -> Result:
    """Revoke what secrets open, permanently.

    Reads all secrets as find does, unless --key names an API key, and ends as find does. When this returns, no request
    that begins afterwards is accepted with any of them, on any node. Reason and note are kept for API keys.
    """
    search = _Search((await keys.get(OPERATOR, key_id),)) if key_id else await _found(leaked("Secret"))
    ended = [await credentials.revoke(OPERATOR, found, Reason(reason), note) for found in search.found]
    return await _result(ended, *search.notes, *_worries(), exit_code=search.exit_code)


async def _found(raw: bytes) -> _Search:
    """Raises NotFound if every secret is unknown, Conflict if all come from the settings and so cannot be revoked here."""
    text = secret_scan.text_of(raw)
    read = secret_scan.read(text)
    of_settings = sum(token in text for token in settings().gateway_tokens)
    whole = read.whole or (() if read.pieces else await _issued_elsewhere(text))
    asked = [secret for secret in whole if secret not in settings().gateway_tokens]
    looked_up = {secret: await credentials.opened_by(OPERATOR, secret) for secret in asked}
    found = tuple({each.id: each for opened in looked_up.values() for each in opened}.values())
    unknown = sum(not opened for opened in looked_up.values())
    if not found and not read.pieces and (unknown or of_settings):
        raise Conflict(_OF_SETTINGS) if of_settings else NotFound("key or token")
    notes = (
        *([_OF_SETTINGS] if of_settings else []),
        *([f"Not known: {unknown}."] if unknown else []),
        *([f"Cut short or mistyped, so not looked up: {read.pieces}."] if read.pieces else []),
        *([_NOTHING_UNDERSTOOD] if not looked_up and not read.pieces else []),
    )
    return _Search(found, (f"Found: {len(found)}.", *notes) if notes else (), _INCOMPLETE if notes else 0)


async def _issued_elsewhere(text: str) -> tuple[str, ...]:
    """The secret of an imported key has no form by which it could be found in a text: it is the whole text, or nothing."""
    return (text.strip(),) if await queries.is_well_formed(text.strip()) else ()


async def _result(found: Sequence[credentials.Credential], *notes: str, exit_code: int) -> Result:
    """One JSON object for exactly one credential, else an array."""
    described = [await of_credential(each) for each in found]
    lines = [line for index, data in enumerate(described) for line in ([""] if index else []) + [*columns(output.rows(data))]]
    return Result(described[0] if len(described) == 1 else described, tuple(lines), notes, exit_code)


def _worries() -> tuple[str, ...]:
    failing = journal.current().failing
    return (f"It is revoked, but the revocation journal cannot be written: {failing}",) if failing else ()
