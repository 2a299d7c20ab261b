"""After a form is submitted, the next page confirms its success."""

from __future__ import annotations

import re

from app.access.actor import Role
from app.members import service as members
from app.rotations import service as rotations
from tests.conftest import Team, make_key
from tests.web.conftest import Browser

KEYS = "/w/acme/settings/api-keys"
MEMBERS = "/w/acme/settings/members"


async def said(browser: Browser, page: str, action: str, **fields: str) -> list[str]:
    """The success note after this form was submitted; checks that there was none before."""
    await browser.open(page)
    assert 'class="note good above"' not in browser.page
    await browser.send(action, **fields)
    await browser.follow()
    return re.findall(r'class="note good above" role="status"><span>([^<]+)', browser.page)


async def test_an_edit_and_a_longer_deadline_are_confirmed(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    assert await said(editor, f"{KEYS}/{key.id}/edit", f"{KEYS}/{key.id}/edit", name="New") == [
        "Saved. The change applies from the next request on."
    ]
    await rotations.start(team.editor, key.id)
    path = f"{KEYS}/{key.id}/rotation"
    assert await said(editor, path, f"{path}/extension", days="3") == ["The deadline was extended."]
    assert re.findall(r'<p class="visually-hidden" role="status">([^<]+)', editor.page) == ["0 of 0 callers moved."]


async def test_a_role_a_withdrawal_and_a_removal_are_confirmed(owner: Browser, team: Team) -> None:
    invitation, _ = await members.invite(team.owner, team.slug, "guest@example.org", Role.VIEWER)
    assert await said(owner, MEMBERS, f"{MEMBERS}/{team.viewer.id}/role", newRole="editor") == ["The role was changed."]
    assert await said(owner, MEMBERS, f"{MEMBERS}/invitations/{invitation.id}/withdrawal") == [
        "The invitation was withdrawn. Its link no longer works."
    ]
    removal = f"{MEMBERS}/{team.viewer.id}/removal"
    assert await said(owner, removal, removal) == ["The member was removed and no longer has access."]
