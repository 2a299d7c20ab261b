"""A note that is too long does not prevent a revocation."""

from __future__ import annotations

from app import database
from app.keys import service as keys
from app.keys.key import Status
from tests.conftest import Team, make_key
from tests.web.conftest import Browser


async def test_a_note_that_is_too_long_is_truncated_and_the_key_is_revoked(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    address = f"/w/acme/settings/api-keys/{key.id}"
    await editor.open(f"{address}/revocation")
    assert 'maxlength="1000"' in editor.page
    answer = await editor.send(f"{address}/revocation", reason="EXPOSED_IN_LOGS", note="x" * 1_001)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    revoked = await keys.get(team.owner, key.id)
    assert revoked.status(await database.now()) is Status.REVOKED
    assert revoked.revocation and revoked.revocation.note == "x" * 1_000
