"""The pages of the security checklist: its items and their remedies, confirming, removing unused permissions, and the score."""

from __future__ import annotations

import html
import re

import pytest

from app import database
from app.access.actor import Actor
from app.checklist import service
from app.checklist.item import ItemName
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import ApiKey
from app.plans import service as plans
from app.usage import store as usage_store
from app.usage.counters import CounterBatch
from app.web.checklist import PAGE_SIZE, SHOWN, slug_of
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.statements import counted
from tests.web.conftest import Browser, rows

NOW = 1_793_000_000_000_000
CHECKLIST = "/w/acme/checklist"
KEYS = "/w/acme/settings/api-keys"
URL = "https://wiki.example.com/leaks"


@pytest.fixture(autouse=True)
async def clock_stands(db: None) -> None:
    database.freeze(NOW)


async def aged(team: Team, name: str, days: int = 40, **changes: object) -> ApiKey:
    database.freeze(NOW - days * DAY)
    made = (await make_key(team, name, **changes)).key
    database.freeze(NOW)
    return made


async def ask(key: ApiKey, permission: str) -> None:
    tally = CounterBatch()
    tally.count(key.id, NOW, permission, "VALID")
    async with database.transaction():
        await usage_store.add(tally)


def token(browser: Browser, action: str) -> list[tuple[str, str]]:
    """The token of one of the page's forms, to send it elsewhere."""
    return [(name, value) for name, value in browser.form(action).values if name == "csrf"]


def text(browser: Browser) -> str:
    """What a reader sees of the main part."""
    main = browser.page.partition('<main id="main"')[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def test_an_item_that_is_not_met_names_its_keys_with_one_action_each(editor: Browser, team: Team) -> None:
    unused, late = await aged(team, "Unused"), await aged(team, "Late", 100)
    await ask(late, "pdf.read")
    await editor.open(CHECKLIST)
    assert "2 of 8 items are met" in text(editor) and "All 2 keys are for production." in text(editor)
    for key, path in ((unused, "revocation"), (late, "unused-permissions"), (late, "rotation")):
        assert f'href="{KEYS}/{key.id}/{path}"' in editor.page
    assert 'href="/w/acme/checklist" aria-current="page"' in editor.page


async def test_viewers_see_the_checklist_without_actions(viewer: Browser, team: Team) -> None:
    key = await aged(team, "Late", 100)
    await viewer.open(CHECKLIST)
    assert "Late" in text(viewer) and "Only editors and owners can confirm this." in text(viewer)
    assert f"{key.id}/" not in viewer.page and "/attestation" not in viewer.page
    path = f"{CHECKLIST}/keys-out-of-code/attestation"
    await viewer.open("/account")
    assert (await viewer.post(path, token(viewer, "/account/name"), **viewer.same_origin_headers)).status_code == 403
    assert (await viewer.open(f"{KEYS}/{key.id}/unused-permissions")).status_code == 403
    assert await rows("checklist_attestation") == 0


async def test_confirming_shows_the_name_the_end_and_the_link(editor: Browser, team: Team) -> None:
    path = f"{CHECKLIST}/compromise-process/attestation"
    await editor.open(CHECKLIST)
    refused = await editor.send(path, runbookUrl="http://wiki.example.com")
    assert refused.status_code == 422 and 'value="http://wiki.example.com"' in editor.page
    assert 'id="runbookUrl-fault"' in editor.page and await rows("checklist_attestation") == 0
    await editor.send(path, runbookUrl=URL)
    await editor.follow()
    shown = text(editor)
    assert "Confirmed. Your name and the time are in the audit log." in shown and "Confirmed by Editor of acme, just now" in shown
    assert f'<a href="{URL}" rel="noopener noreferrer">' in editor.page
    await editor.send(f"{CHECKLIST}/keys-out-of-code/attestation")
    await editor.follow()
    assert "8 of 8 items are met" in text(editor)
    assert await rows("checklist_attestation") == 2


@pytest.mark.parametrize("item", ["least-permissions", "nothing", "KEYS_OUT_OF_CODE"])
async def test_only_attested_items_have_a_form(owner: Browser, team: Team, item: str) -> None:
    await owner.open(CHECKLIST)
    form = token(owner, f"{CHECKLIST}/keys-out-of-code/attestation")
    answer = await owner.post(f"{CHECKLIST}/{item}/attestation", form, **owner.same_origin_headers)
    assert answer.status_code == 404 and await rows("checklist_attestation") == 0


async def test_trimming_shows_use_first_and_leads_back_to_the_checklist_with_a_way_to_undo(editor: Browser, team: Team) -> None:
    key = await aged(team, "Old")
    await ask(key, "pdf.read")
    path = f"{KEYS}/{key.id}/unused-permissions"
    await editor.open(path)
    assert "pdf.generate" in text(editor) and "in use" in text(editor)
    assert (await editor.send(path)).status_code == 303
    assert (await keys.get(team.editor, key.id)).permissions == ("pdf.read",)
    await editor.follow()
    assert "The unused permissions are removed." in text(editor) and f'href="{KEYS}/{key.id}/edit"' in editor.page
    await editor.open(path)
    assert "Nothing to remove." in text(editor)


async def test_a_permission_that_was_used_meanwhile_is_not_removed(editor: Browser, team: Team) -> None:
    key = await aged(team, "Old")
    await ask(key, "pdf.read")
    path = f"{KEYS}/{key.id}/unused-permissions"
    await editor.open(path)
    await ask(key, "pdf.generate")
    answer = await editor.send(path)
    assert answer.status_code == 422 and "pdf.generate was used in the last 90 days. Nothing was removed." in text(editor)
    assert await keys.get(team.editor, key.id) == key


async def test_a_key_that_somebody_else_changed_meanwhile_is_not_trimmed(editor: Browser, team: Team) -> None:
    key = await aged(team, "Old")
    await ask(key, "pdf.read")
    path = f"{KEYS}/{key.id}/unused-permissions"
    await editor.open(path)
    changed = await keys.update(team.owner, key.id, {"name": "Another"})
    assert (await editor.send(path)).status_code == 409 and "Nothing was removed yet." in text(editor)
    assert await keys.get(team.editor, key.id) == changed
    assert (await editor.send(path)).status_code == 303


async def test_a_key_that_is_too_new_or_uses_nothing_has_no_boxes(editor: Browser, team: Team) -> None:
    for key, words in ((await aged(team, "New", 5), "Too early to judge."), (await aged(team, "Unused"), "better revoked")):
        await editor.open(f"{KEYS}/{key.id}/unused-permissions")
        assert words in text(editor) and 'name="permissions"' not in editor.page


async def test_many_keys_are_cut_to_a_few_and_their_own_page_has_all(editor: Browser, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")
    names = [f"Key {number:03}" for number in range(PAGE_SIZE + 3)]
    for number, name in enumerate(names):
        await aged(team, name, 89 - number % 2, environment="staging")
    await editor.open(CHECKLIST)
    assert sum(name in editor.page for name in names) == SHOWN and f"and {len(names) - SHOWN} more keys" in text(editor)
    alone = f"{CHECKLIST}?item={slug_of(ItemName.LEAST_PERMISSIONS)}"
    await editor.open(alone)
    first = {name for name in names if name in editor.page}
    await editor.open(f"{alone}&page=2")
    assert len(first) == PAGE_SIZE and {name for name in names if name in editor.page} == set(names) - first
    for page in ("0", "9", "x", "²", "9" * 5_000):
        assert (await editor.open(f"{alone}&page={page}")).status_code == 200
    assert (await editor.open(f"{CHECKLIST}?item=nothing")).status_code == 404


async def test_opening_alerts_or_a_key_counts_as_looking_at_usage_and_the_other_pages_do_not(owner: Browser, team: Team) -> None:
    key = await aged(team, "Old")
    for path in ("/w/acme", CHECKLIST, KEYS, f"{KEYS}/{key.id}/edit"):
        await owner.open(path)
    await owner.open(f"{KEYS}/{key.id}?poll=x", **{"hx-request": "true"})
    assert await rows("usage_visit") == 0
    for path in ("/w/acme/alerts", f"{KEYS}/{key.id}"):
        async with database.transaction():
            await database.fetch("DELETE FROM usage_visit")
        await owner.open(path)
        assert await rows("usage_visit") == 1
    result = (await service.of_workspace(await seen(team.viewer, team.slug))).result(ItemName.USAGE_REVIEWED)
    assert [each.user_id for each in result.visits] == [team.owner.id]


async def test_the_overview_has_the_score(viewer: Browser, team: Team) -> None:
    await aged(team, "Late", 100)
    await viewer.open("/w/acme")
    assert "Security checklist Next: Keys have only the permissions that they use 3 of 8" in text(viewer)


async def test_in_a_suspended_workspace_the_checklist_is_read_only(owner: Browser, team: Team) -> None:
    key = await aged(team, "Late", 100)
    await workspaces.suspend(Actor.operator(), team.slug)
    await owner.open(CHECKLIST)
    assert f"{key.id}/rotation" not in owner.page and "/attestation" not in owner.page


async def test_the_page_needs_few_statements(owner: Browser, team: Team) -> None:
    for number in range(4):
        await aged(team, f"Key {number}", 100)
    with counted() as others:
        await owner.open(f"{KEYS}/nothing")
    with counted() as statements:
        await owner.open(CHECKLIST)
    assert len(statements) - len(others) <= 8, statements
