"""The note of a revocation: stored as far as possible, and never preventing the revocation."""

from __future__ import annotations

import pytest

from app.keys import service as keys
from app.keys.key import Reason, Status
from app.keys.validation import LONGEST_NOTE, note
from tests.conftest import Team, make_key


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        (" \n ", None),
        ("\0", None),
        (" in the log\nof CI ", "in the log\nof CI"),
        ("a\0b\ud800c", "abc"),
        ("x" * 5_000, "x" * LONGEST_NOTE),
        ("x" * (LONGEST_NOTE - 1) + " y", "x" * (LONGEST_NOTE - 1)),
    ],
)
async def test_the_key_is_revoked_with_any_note(team: Team, given: str | None, kept: str | None) -> None:
    assert note(given) == kept
    key = (await make_key(team)).key
    revoked = await keys.revoke(team.editor, key.id, Reason.OTHER, given)
    assert revoked == await keys.get(team.owner, key.id)
    assert revoked.status(revoked.created_at) is Status.REVOKED and revoked.revocation and revoked.revocation.note == kept
