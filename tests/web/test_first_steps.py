"""A new workspace shows three steps, which tick themselves off while the page is open, and are gone when all are done."""

from __future__ import annotations

import html
import re

import pytest

from app import database
from app.access.actor import Role
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import Reason
from app.members import service as members
from app.webhooks import service as webhooks
from app.webhooks.validation import WebhookInput
from app.webhooks.webhook import Kind
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.web.conftest import Browser

HTMX = {"hx-request": "true", "hx-target": "section#first-steps"}


@pytest.fixture
async def alone(team: Team) -> Team:
    """The owner is the only member."""
    for other in (team.editor, team.viewer):
        await members.remove(team.owner, team.slug, other.id)
    return team


def states(page: str) -> list[str]:
    """Of each step: done, now, or empty."""
    (box,) = re.findall(r'id="first-steps".*?</section>', page, re.S) or [""]
    return re.findall(r"<li(?: class=\"(done|now)\")?(?: aria-current=\"step\")?>", box)


def poll(page: str) -> str:
    (address,) = re.findall(r'hx-get="(/w/acme/first-steps[^"]+)"', page)
    return html.unescape(address)


async def test_each_step_ticks_itself_off_and_then_all_are_gone(owner: Browser, alone: Team) -> None:
    for path in ("/w/acme", "/w/acme/settings/api-keys"):
        assert states((await owner.open(path)).text) == ["now", "", ""]
    address = poll(owner.page)
    assert (await owner.open(address, **HTMX)).status_code == 204

    key = (await make_key(alone)).key
    created = await owner.open(address, **HTMX)
    assert states(created.text) == ["done", "now", ""]
    assert f'href="/w/acme/settings/api-keys/{key.id}"' in created.text
    assert "/v1/self" in created.text

    await keys.revoke(alone.owner, (await make_key(alone, "Lost")).key.id, Reason.OTHER)
    assert f'href="/w/acme/settings/api-keys/{key.id}"' in (await owner.open("/w/acme")).text

    await use(key.id)
    used = await owner.open(poll(created.text), **HTMX)
    assert states(used.text) == ["done", "done", "now"]
    assert states((await owner.open("/w/acme")).text) == ["done", "done", "now"]

    await members.invite(alone.owner, alone.slug, "bo@example.com", Role.EDITOR)
    done = await owner.open(poll(used.text), **HTMX)
    assert "All set" in done.text and "hx-get" not in done.text
    assert "first-steps" not in (await owner.open("/w/acme")).text


async def test_a_webhook_or_another_member_does_the_last_step(owner: Browser, alone: Team) -> None:
    await webhooks.create(alone.owner, alone.slug, WebhookInput("CI", Kind.STANDARD, "https://hooks.example.com"))
    assert states((await owner.open("/w/acme")).text) == ["now", "", "done"]


async def test_a_key_revoked_unused_is_to_be_created_again_and_the_list_has_no_steps_then(owner: Browser, alone: Team) -> None:
    key = (await make_key(alone)).key
    await keys.revoke(alone.owner, key.id, Reason.NO_LONGER_NEEDED)
    assert states((await owner.open("/w/acme")).text) == ["now", "", ""]
    assert states((await owner.open("/w/acme/settings/api-keys")).text) == []


async def test_a_viewer_sees_the_steps_and_whom_to_ask_instead_of_buttons(viewer: Browser, team: Team) -> None:
    page = (await viewer.open("/w/acme")).text
    assert states(page) == ["now", "", "done"]
    assert "ask an owner of this workspace" in page
    assert "/settings/api-keys/new" not in page.split('id="first-steps"')[1].split("</section>")[0]


async def test_who_works_alone_on_purpose_is_not_reminded_after_a_month(owner: Browser, alone: Team) -> None:
    key = (await make_key(alone)).key
    await use(key.id)
    assert states((await owner.open("/w/acme")).text) == ["done", "done", "now"]
    async with database.transaction():
        await database.fetch("UPDATE workspace SET created_at = created_at - {}", 31 * DAY)
    assert states((await owner.open("/w/acme")).text) == []


async def test_without_htmx_the_address_of_the_poll_leads_to_the_overview(owner: Browser, team: Team) -> None:
    answer = await owner.open("/w/acme/first-steps?poll=000")
    assert (answer.status_code, answer.headers["location"]) == (303, "/w/acme")
