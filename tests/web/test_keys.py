"""The pages of API keys: list, creation with the secret shown once, editing, suspension and revocation, for each role."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

import pytest
from litestar import Litestar

from app import clock, database
from app.access.actor import Actor
from app.keys import service as keys
from app.keys.key import ApiKey, Owner, Reason, Status
from app.members import service as members
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.usage import store as usage_store
from app.usage.counters import CounterBatch
from app.web.keys import LOOK_EVERY
from app.workspaces import service as workspaces
from keydesk_client import KeydeskMiddleware
from tests.conftest import Team, make_key, make_team
from tests.support.access import seen
from tests.support.statements import counted
from tests.support.usage import logged
from tests.web.conftest import Browser, later, rows, signed_in

LIST = "/w/acme/settings/api-keys"
NEW = f"{LIST}/new"
SECRET = re.compile(r"fl_(?:live|test)_[0-9A-Za-z]{38}")


def names(browser: Browser) -> list[str]:
    """The names in the list, in order."""
    return [html.unescape(name) for name in re.findall(r'class="name".*?<span class="clip">(.*?)</span>', browser.page)]


async def fill(browser: Browser, **changes: str | list[str]) -> int:
    """Fills in the form for a new key and submits it to its review."""
    await browser.open(NEW)
    fields: dict[str, str | list[str]] = {
        "name": "Server",
        "environment": "production",
        "permissions": ["pdf.read"],
        "review": "yes",
    } | changes
    return (await browser.send(NEW, **fields)).status_code


async def test_a_key_is_reviewed_created_and_shown_once(editor: Browser, team: Team) -> None:
    assert await fill(editor, permissions=["pdf.read", "pdf.generate"]) == 200
    assert "Create “Server”?" in editor.page and await keys.count(await seen(team.owner, team.slug)) == 0
    made = await editor.send(NEW, confirmed="yes")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    (secret,) = set(SECRET.findall(html.unescape(editor.page)))
    assert f"FL_API_KEY={secret}" in editor.page and "curl" in editor.page
    for path in (LIST, "/w/acme", re.findall(rf'href="({LIST}/key_\w+)"', editor.page)[0], "/w/acme/settings/audit-log"):
        assert (await editor.open(path)).status_code == 200
        assert secret[12:] not in editor.page and "Server" in editor.page


async def test_a_form_sent_twice_leads_to_its_key_and_a_lost_secret_can_be_replaced(editor: Browser, team: Team) -> None:
    await fill(editor)
    sent = editor.form(NEW).filled(confirmed="yes")
    await editor.post(NEW, sent, **editor.same_origin_headers)
    first = SECRET.findall(editor.page)[0]
    await editor.post(NEW, sent, **editor.same_origin_headers)
    again = await editor.follow()
    assert again.status_code == 200 and "The secret of this key was shown once" in again.text and not SECRET.search(again.text)
    assert await keys.count(await seen(team.owner, team.slug)) == 1
    replacement = next(form for form in re.findall(r'action="([^"]+/replacement)"', again.text))
    made = await editor.send(replacement)
    second = SECRET.findall(made.text)[0]
    assert made.status_code == 201 and second != first
    states = [key.status(await database.now()) for key in (await _all(team))]
    assert sorted(states) == [Status.ACTIVE, Status.REVOKED]


async def test_a_review_without_a_preceding_form_sent_twice_creates_one_key(editor: Browser, team: Team) -> None:
    fields = [*await _csrf(editor), ("name", "Server"), ("environment", "production"), ("permissions", "pdf.read")]
    await editor.post(NEW, fields, **editor.same_origin_headers)
    sent = editor.form(NEW).filled(confirmed="yes")
    statuses = [(await editor.post(NEW, sent, **editor.same_origin_headers)).status_code for _ in range(2)]
    assert statuses == [201, 303] and await keys.count(await seen(team.owner, team.slug)) == 1


async def test_the_page_with_a_secret_asks_until_the_key_was_used(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    address = f"{LIST}/{key.id}/first-use"
    assert (await editor.open(address)).headers["location"] == f"{LIST}/{key.id}"
    assert (await editor.open(address, **{"hx-request": "true"})).status_code == 204
    await logged(key.id)
    shown = await editor.open(address, **{"hx-request": "true"})
    assert "It works" in shown.text and "203.0.113.9" in shown.text and "hx-get" not in shown.text


async def test_a_lost_secret_is_not_replaced_once_the_key_is_used(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", await database.now(), key.id)
    answer = await editor.post(f"{LIST}/{key.id}/replacement", await _csrf(editor), **editor.same_origin_headers)
    assert answer.status_code == 409 and await keys.count(await seen(team.owner, team.slug)) == 1


async def test_the_input_in_the_forms_url_is_restored_only_for_its_author(editor: Browser, owner: Browser) -> None:
    assert (
        await fill(editor, name="Töpferei & Söhne", permissions=["pdf.read", "pdf.generate"], allowedIps="203.0.113.9\n::1") == 200
    )
    review = str(editor.shown.url) if editor.shown else ""
    (back,) = re.findall(rf'href="({NEW}\?[^"]+)"', editor.page)
    await editor.open(html.unescape(back))
    held = editor.form(NEW).values
    assert {"Töpferei & Söhne", "pdf.read", "pdf.generate", "production"} <= {text for _, text in held}
    assert dict(held)["allowedIps"].split() == ["203.0.113.9", "::1"] and "csrf" not in review
    for address in (html.unescape(back), review):
        answer = await owner.open(address)
        assert answer.status_code == 200 and "Töpferei" not in answer.text and dict(owner.form(NEW).values)["name"] == ""
    assert await rows("api_key") == 0


async def test_every_fault_is_reported_at_its_field_and_no_input_is_lost(editor: Browser) -> None:
    status = await fill(
        editor,
        name="x" * 101,
        environment="temporary",
        permissions=["pdf.read"],
        allowedIps="203.0.113.9\nnowhere",
        lifetime="date",
        expiresAt="soon",
    )
    assert status == 422
    assert 'id="expiresAt-fault"' in editor.page and 'aria-invalid="true"' in editor.page
    status = await fill(editor, name="x" * 101, environment="temporary", allowedIps="203.0.113.9\nnowhere")
    assert status == 422
    for field in ("name", "expiresAt", "allowedIps"):
        assert f'id="{field}-fault"' in editor.page
    held = dict(editor.form(NEW).values)
    assert (held["name"], held["environment"], held["permissions"]) == ("x" * 101, "temporary", "pdf.read")
    assert held["allowedIps"] == "203.0.113.9\nnowhere"
    assert await rows("api_key") == 0


async def test_a_line_that_is_no_address_has_one_fault(editor: Browser) -> None:
    assert await fill(editor, allowedIps="not an ip") == 422
    assert editor.page.count("is not an address or network") == 1
    assert "&#39;not an ip&#39; is not an address" in editor.page


async def test_a_full_plan_names_the_larger_ones_and_keeps_the_input(browser: Browser, db: None) -> None:
    free = await make_team("small", plan="free")
    await make_key(free)
    owner = await signed_in(browser, free.owner)
    await owner.open("/w/small/settings/api-keys/new")
    fields = {"name": "Second", "environment": "staging", "permissions": ["pdf.read"], "review": "yes"}
    await owner.send("/w/small/settings/api-keys/new", **fields)
    answer = await owner.send("/w/small/settings/api-keys/new", confirmed="yes")
    assert answer.status_code == 409
    for title in ("Starter", "Growth", "Scale Business", "Scale Enterprise"):
        assert f"<strong>{title}</strong>" in owner.page
    assert dict(owner.form("/w/small/settings/api-keys/new").values)["name"] == "Second"
    assert (await plans.meter(await seen(free.owner, free.slug))).used == 1


async def test_the_list_is_searched_filtered_sorted_and_paged(viewer: Browser, team: Team) -> None:
    for n in range(9):
        await make_key(team, f"Key {n}", environment="staging" if n % 2 else "production")
    await keys.suspend(team.owner, (await make_key(team, "Zebra 100%", permissions=("template.read",))).key.id)
    await viewer.open(LIST)
    assert names(viewer) == ["Zebra 100%", *(f"Key {n}" for n in reversed(range(9)))]
    for query, found in (
        ("q=key+3", ["Key 3"]),
        ("q=100%25", ["Zebra 100%"]),
        ("q=_", []),
        ("environment=staging&sort=name", ["Key 1", "Key 3", "Key 5", "Key 7"]),
        ("status=suspended", ["Zebra 100%"]),
        ("permission=template.read", ["Zebra 100%"]),
        ("status=nonsense&environment=moon&sort=upwards&q=zebra", ["Zebra 100%"]),
        ("sort=name-z&q=key", [f"Key {n}" for n in reversed(range(9))]),
    ):
        await viewer.open(f"{LIST}?{query}")
        assert names(viewer) == found, query
    assert "No keys match" in (await viewer.open(f"{LIST}?q=nothing")).text


@pytest.mark.parametrize("place", ["after=zzz", "before=zzz", "after=key_aaaaaaaaaaaaaaaaaaaa", "after=&before="])
async def test_an_invalid_position_shows_the_beginning_of_the_list(viewer: Browser, team: Team, place: str) -> None:
    await make_key(team, "Server")
    answer = await viewer.open(f"{LIST}?{place}")
    assert (answer.status_code, names(viewer)) == (200, ["Server"])


async def test_pages_contain_every_key_once_in_both_directions(viewer: Browser, db: None) -> None:
    team = await make_team("acme-two", plan="scale_enterprise")
    for n in range(60):
        await make_key(team, f"Key {n:02}")
    browser, path = await signed_in(viewer, team.viewer), "/w/acme-two/settings/api-keys?sort=name"
    seen = []
    for size in (25, 25, 10):
        await browser.open(path)
        assert len(names(browser)) == size
        seen += names(browser)
        onward = re.findall(r'rel="next" href="([^"]+)"', browser.page)
        path = html.unescape(onward[0]) if onward else ""
    assert path == "" and seen == [f"Key {n:02}" for n in range(60)]
    (back,) = re.findall(r'rel="prev" href="([^"]+)"', browser.page)
    await browser.open(html.unescape(back))
    assert names(browser) == [f"Key {n:02}" for n in range(25, 50)]


async def test_a_complete_secret_in_the_search_finds_its_key_by_its_prefix(viewer: Browser, team: Team) -> None:
    made = await make_key(team)
    await make_key(team, "Other")
    answer = await viewer.open(f"{LIST}?q={made.secret}")
    assert names(viewer) == ["Production server"]
    assert made.secret is not None and made.secret[12:] not in answer.text


async def test_a_fragment_is_the_requested_part(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    listed = await viewer.open(f"{LIST}?q=prod", **{"hx-request": "true", "hx-target": "div#keys"})
    assert (
        listed.text.lstrip().startswith('<div id="keys">') and "<html" not in listed.text and names(viewer) == ["Production server"]
    )
    part = await viewer.open(f"{LIST}/{key.id}", **{"hx-request": "true", "hx-target": "div#live"})
    assert part.text.lstrip().startswith('<div id="live"') and part.headers["vary"].startswith("HX-Request,")
    whole = await viewer.open(f"{LIST}/{key.id}", **{"hx-request": "true", "hx-target": "main#main"})
    assert "<html" not in whole.text and ">Activity<" in whole.text


async def test_polling_gets_a_new_page_only_after_a_change_or_periodically(viewer: Browser, team: Team) -> None:
    now = await database.now()
    database.freeze(now - now % LOOK_EVERY)
    key = (await make_key(team)).key

    async def asks() -> int:
        """Polls as the current page does and returns the status; an answer becomes the current page."""
        (address,) = re.findall(r'hx-get="([^"]+\?poll=[^"]+)"', shown)
        return (await viewer.open(address, **{"hx-request": "true", "hx-target": "div#live"})).status_code

    shown = (await viewer.open(f"{LIST}/{key.id}")).text
    assert [await asks(), await asks()] == [204, 204] and viewer.page == ""
    async with database.transaction():
        tally = CounterBatch()
        tally.count(key.id, await database.now(), "pdf.generate", "PERMISSION_DENIED")
        await usage_store.add(tally)
    assert await asks() == 200 and "1 without the permission" in viewer.page
    shown = viewer.page
    assert await asks() == 204
    await keys.suspend(team.owner, key.id)
    assert await asks() == 200 and "Suspended" in viewer.page
    shown = viewer.page
    database.freeze(now - now % LOOK_EVERY + LOOK_EVERY)
    assert await asks() == 200
    await keys.revoke(team.owner, key.id, Reason.OTHER)
    assert await asks() == 200 and "poll" not in viewer.page


async def test_polling_does_not_extend_the_session(owner: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    for _ in range(2):
        await later(20)
        answer = await owner.open(f"{LIST}/{key.id}?poll=0123456789abcdef")
    assert answer.headers["location"].startswith("/sign-in")


async def test_an_edit_changes_its_fields_and_keeps_the_seconds_of_an_expiry(editor: Browser, team: Team) -> None:
    expires = await database.now() + 9 * clock.DAY + 12_345_678
    key = (await make_key(team, expires_at=expires)).key
    await editor.open(f"{LIST}/{key.id}/edit")
    answer = await editor.send(f"{LIST}/{key.id}/edit", name="Renamed", permissions=["pdf.read"], allowedIps="203.0.113.0/24")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{LIST}/{key.id}?done=edited")
    changed = await keys.get(team.owner, key.id)
    assert (changed.name, changed.permissions, changed.allowed_ips) == ("Renamed", ("pdf.read",), ("203.0.113.0/24",))
    assert changed.expires_at == expires
    await editor.open(f"{LIST}/{key.id}/edit")
    refused = await editor.send(f"{LIST}/{key.id}/edit", name=" ", lifetime="date", expiresAt="2020-01-01T00:00")
    assert refused.status_code == 422 and 'id="name-fault"' in refused.text and 'id="expiresAt-fault"' in refused.text
    assert await keys.get(team.owner, key.id) == changed


async def test_description_and_labels_are_typed_reviewed_stored_shown_and_filter_the_list(editor: Browser, team: Team) -> None:
    typed = {"description": "Invoices.\r\nAsk <ada>.", "labels": "team=web, pci\r\n owner=ada@example.com "}
    assert await fill(editor, name="Shop", **typed) == 200
    assert "Invoices.\nAsk &lt;ada&gt;." in editor.page and "owner=ada@example.com" in editor.page
    await editor.send(NEW, confirmed="yes")
    (key,) = await _all(team)
    assert (key.description, key.labels) == ("Invoices.\nAsk <ada>.", ("owner=ada@example.com", "pci=", "team=web"))
    await editor.open(f"{LIST}/{key.id}")
    assert "Invoices.\nAsk &lt;ada&gt;." in editor.page
    links = [html.unescape(link) for link in re.findall(r'class="key-label" href="([^"]+)"', editor.page)]
    assert links == [f"{LIST}?label=owner%3Dada%40example.com", f"{LIST}?label=pci%3D", f"{LIST}?label=team%3Dweb"]
    await make_key(team, "Other")
    for link in (*links, f"{LIST}?label=team"):
        await editor.open(link)
        assert "Shop" in editor.page and "Other" not in editor.page and f'href="{LIST}">Remove<' in editor.page
        assert dict(editor.form(LIST).values)["label"] == html.unescape(unquote(link.partition("label=")[2]))
    for unknown in ("team%3Djobs", "pci%3Dx"):
        await editor.open(f"{LIST}?label={unknown}")
        assert "No keys match" in editor.page
    await editor.open(f"{LIST}?label=a%20b")
    assert "Other" in editor.page and "Remove" not in editor.page


async def test_description_and_labels_are_edited_and_their_faults_shown(editor: Browser, team: Team) -> None:
    key = (await make_key(team, description="One\nTwo", labels=("team=web", "pci"))).key
    path = f"{LIST}/{key.id}/edit"
    await editor.open(path)
    held = dict(editor.form(path).values)
    assert (held["description"], held["labels"]) == ("One\nTwo", "pci\nteam=web")
    refused = await editor.send(path, labels="team web", description="x" * 501)
    assert refused.status_code == 422 and 'id="labels-fault"' in refused.text and 'id="description-fault"' in refused.text
    assert dict(editor.form(path).values)["labels"] == "team web"
    assert await keys.get(team.owner, key.id) == key
    assert (await editor.send(path, labels="", description=" ")).status_code == 303
    changed = await keys.get(team.owner, key.id)
    assert (changed.description, changed.labels) == (None, ())


async def test_the_owner_is_shown_changed_and_found_and_one_who_left_is_said_to_have(
    editor: Browser, viewer: Browser, team: Team
) -> None:
    key = (await make_key(team, "Shop")).key
    await make_key(team, "Other", owner=Owner(team.editor.id))
    address, path = f"{LIST}/{key.id}", f"{LIST}/{key.id}/edit"
    await editor.open(address)
    assert f'href="{LIST}?owner={team.owner.id}">{team.owner.name}</a>' in editor.page
    await editor.open(path)
    assert dict(editor.form(path).values)["owner"] == team.owner.id
    assert (await editor.send(path, owner=team.viewer.id)).status_code == 303
    await editor.open(f"{LIST}?owner={team.viewer.id}")
    assert "Shop" in editor.page and "Other" not in editor.page and f"Owner <strong>{team.viewer.name}</strong>" in editor.page
    assert dict(editor.form(LIST).values)["owner"] == team.viewer.id
    await members.remove(team.owner, team.slug, team.viewer.id)
    await editor.open(address)
    assert f'{team.viewer.name}</a> <span class="warn">(no longer a member)</span>' in editor.page
    await editor.open(path)
    assert f"{team.viewer.name} (no longer a member)</option>" in editor.page
    assert (await editor.send(path, name="Renamed")).status_code == 303
    kept = await keys.get(team.owner, key.id)
    assert kept.name == "Renamed" and kept.owner == Owner(team.viewer.id)
    await editor.open(path)
    refused = await editor.send(path, owner="usr_" + "a" * 20)
    assert refused.status_code == 422 and 'id="owner-fault"' in refused.text
    assert (await editor.send(path, owner="")).status_code == 303
    await editor.open(address)
    assert "No owner" in editor.page


def first_action(browser: Browser) -> str | None:
    """The words of the primary button of a key's page."""
    found = re.findall(r'<a class="button first"[^>]*>([^<]+)</a>', browser.page)
    assert len(found) <= 1
    return found[0] if found else None


async def test_the_first_action_of_a_key_is_what_its_state_asks_for(editor: Browser, viewer: Browser, team: Team) -> None:
    key, other = [(await make_key(team, name)).key for name in ("Shop", "Other")]
    address = f"{LIST}/{key.id}"

    async def action_of(browser: Browser, path: str = address) -> str | None:
        await browser.open(path)
        return first_action(browser)

    assert await action_of(editor) == "Rotate"
    assert await action_of(viewer) is None and "More actions" not in viewer.page
    run = (await rotations.start(team.owner, key.id)).progress
    assert await action_of(editor) == "View rotation" == await action_of(editor, f"{LIST}/{run.successor.id}")
    await keys.suspend(team.owner, key.id)
    assert await action_of(editor) == "Resume" and f'href="{address}/rotation">View rotation</a></li>' in editor.page
    await keys.revoke(team.owner, other.id, Reason.OTHER)
    assert await action_of(editor, f"{LIST}/{other.id}") is None
    assert "More actions" not in editor.page and "Use the key" not in editor.page


async def test_the_rotation_history_is_shown_where_there_is_one(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await viewer.open(f"{LIST}/{key.id}")
    assert "Rotation history" not in viewer.page
    successor = (await rotations.start(team.owner, key.id)).progress.successor
    for each in (key, successor):
        await viewer.open(f"{LIST}/{each.id}")
        assert "Rotation history" in viewer.page and viewer.page.count("(this key)") == 1


async def test_the_middleware_that_a_key_s_page_shows_protects_an_application(
    viewer: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = (await make_key(team, permissions=("pdf.read",))).key
    await viewer.open(f"{LIST}/{key.id}")
    (shown,) = re.findall(r'<pre id="middleware">(.*?)</pre>', viewer.page, re.DOTALL)
    monkeypatch.setenv("KEYDESK_GATEWAY_TOKEN", "a token of the service")
    names: dict[str, object] = {"app": Litestar()}
    exec(html.unescape(shown), names)
    assert isinstance(names["app"], KeydeskMiddleware) and '"pdf.read"' in html.unescape(shown)


async def test_a_form_without_the_owner_keeps_it(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await editor.open(f"{LIST}/{key.id}/edit")
    sent = [pair for pair in editor.form(f"{LIST}/{key.id}/edit").filled(name="Renamed") if pair[0] != "owner"]
    await editor.post(f"{LIST}/{key.id}/edit", sent, **editor.same_origin_headers)
    kept = await keys.get(team.owner, key.id)
    assert kept.name == "Renamed" and kept.owner == Owner(team.owner.id)


async def test_a_viewer_gets_no_form_to_change_a_key_and_a_revoked_key_none_to_suspend_it(
    viewer: Browser, editor: Browser, team: Team
) -> None:
    key = (await make_key(team)).key
    for way in ("edit", "suspension", "revocation", "rotation"):
        assert (await editor.open(f"{LIST}/{key.id}/{way}")).status_code == 200 and editor.form(f"{LIST}/{key.id}/{way}")
        refused = await viewer.open(f"{LIST}/{key.id}/{way}")
        assert refused.status_code == 403 and f"{key.id}/{way}" not in refused.text and "EDITOR" in refused.text.upper()
    await keys.revoke(team.owner, key.id, Reason.NO_LONGER_NEEDED)
    assert (await editor.open(f"{LIST}/{key.id}/suspension")).headers["location"] == f"{LIST}/{key.id}"


async def test_unchecking_every_permission_is_a_fault_and_shows_them_unchecked(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await editor.open(f"{LIST}/{key.id}/edit")
    refused = await editor.send(f"{LIST}/{key.id}/edit", permissions=[])
    assert refused.status_code == 422 and 'id="permissions-fault"' in refused.text
    assert "permissions" not in dict(editor.form(f"{LIST}/{key.id}/edit").values)


async def test_suspending_and_resuming_are_idempotent(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    path = f"{LIST}/{key.id}/suspension"
    for expected in (Status.SUSPENDED, Status.ACTIVE):
        await editor.open(path)
        form = editor.form(path).filled()
        for _ in range(2):
            assert (await editor.post(path, form, **editor.same_origin_headers)).status_code == 303
            assert (await keys.get(team.owner, key.id)).status(await database.now()) is expected
    await editor.open(path)
    assert "Suspend this key" in editor.page


async def test_an_expired_or_revoked_key_is_not_shown_as_in_use_and_cannot_be_suspended(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    now = await database.now()
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", now, key.id)
        await database.fetch("UPDATE api_key SET expires_at = {} WHERE id = {}", now, key.id)
    await editor.open(f"{LIST}/{key.id}/revocation")
    assert (
        "<strong>Expired:</strong>" in editor.page
        and "in use" not in editor.page
        and "prefix" not in editor.form(f"{LIST}/{key.id}/revocation").names
    )
    assert (await editor.open(f"{LIST}/{key.id}/suspension")).headers["location"] == f"{LIST}/{key.id}"
    await keys.revoke(team.owner, key.id, Reason.OTHER)
    for end in ("suspension", "revocation"):
        assert (await editor.open(f"{LIST}/{key.id}/{end}")).headers["location"] == f"{LIST}/{key.id}"


async def test_revoking_needs_a_reason_is_final_and_the_page_shows_who_and_why(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    path = f"{LIST}/{key.id}/revocation"
    await editor.open(path)
    assert "Not in use" in editor.page
    refused = await editor.send(path, note="found in a paste")
    assert refused.status_code == 422 and 'id="reason-fault"' in refused.text
    assert dict(editor.form(path).values)["note"] == "found in a paste"
    assert (await editor.send(path, reason="EXPOSED_IN_LOGS")).status_code == 303
    await editor.follow()
    assert "Revoked permanently" in editor.page and "exposed in logs" in editor.page and "found in a paste" in editor.page
    assert f"{LIST}/{key.id}/edit" not in editor.page
    assert (await editor.open(f"{LIST}/{key.id}/edit")).status_code == 409
    assert (await editor.open(path)).status_code == 303


async def test_a_viewer_can_read_and_sees_no_actions(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    await viewer.open(LIST)
    assert "Production server" in viewer.page and "Create API key" not in viewer.page
    await viewer.open(f"{LIST}/{key.id}")
    assert not re.search(r"/(edit|suspension|revocation)\"", viewer.page)
    token = await _csrf(viewer)
    for end, fields in (("edit", [("name", "x")]), ("suspension", []), ("revocation", [("reason", "OTHER")]), ("replacement", [])):
        answer = await viewer.post(f"{LIST}/{key.id}/{end}", [*token, *fields], **viewer.same_origin_headers)
        assert answer.status_code == 403, end
    assert (await keys.get(team.owner, key.id)).status(await database.now()) is Status.ACTIVE


@pytest.mark.parametrize("end", ["", "/edit", "/suspension", "/revocation"])
async def test_another_workspaces_key_answers_like_one_that_does_not_exist(owner: Browser, other_team: Team, end: str) -> None:
    theirs = (await make_key(other_team)).key.id
    answers = [await owner.open(f"{LIST}/{key_id}{end}") for key_id in (theirs, "key_aaaaaaaaaaaaaaaaaaaa", "usr_x", "x")]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert len({re.sub(r'value="[^"]+"', "", answer.text) for answer in answers}) == 1


async def test_the_overview_lists_what_needs_attention_the_most_urgent_first(owner: Browser, team: Team) -> None:
    now = await database.now()
    await owner.open("/w/acme")
    assert "Create an API key" in owner.page
    await make_key(team, "Expiring", expires_at=now + 3 * clock.DAY)
    old = (await make_key(team, "Old")).key
    calm = (await make_key(team, "Calm")).key
    async with database.transaction():
        await database.fetch("UPDATE api_key SET created_at = {} WHERE id = {}", now - 91 * clock.DAY, old.id)
    await owner.open("/w/acme")
    attention = owner.page[owner.page.index("Needs attention") : owner.page.index("Latest changes")]
    assert re.findall(r"<strong class=\"clip\">(\w+)", attention) == ["Old", "Expiring"]
    assert "Rotation overdue" in attention and "Expires in 2 days" in attention and calm.id not in attention


async def test_the_overview_includes_the_oldest_key_and_takes_as_many_statements_for_many_keys(owner: Browser, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")
    oldest = (await make_key(team, "Oldest")).key
    await keys.suspend(team.owner, oldest.id)
    await owner.open("/w/acme")
    with counted() as few:
        await owner.open("/w/acme")
    for n in range(60):
        await make_key(team, f"Key {n}")
    with counted() as many:
        await owner.open("/w/acme")
    assert re.findall(r"<strong class=\"clip\">(\w+)", owner.page) == ["Oldest"]
    assert len(many) == len(few)


async def test_the_overview_of_a_suspended_workspace_says_so(owner: Browser, team: Team) -> None:
    await make_key(team)
    assert "Nothing needs attention" in (await owner.open("/w/acme")).text
    await workspaces.suspend(Actor.operator(), team.slug)
    assert "Nothing needs attention" not in (await owner.open("/w/acme")).text


async def test_the_url_without_a_workspace_leads_to_the_last_one(owner: Browser, team: Team) -> None:
    assert (await owner.open("/settings/api-keys?q=x")).headers["location"] == "/w/acme/settings/api-keys?q=x"
    assert (await owner.open("/")).headers["location"] == "/w/acme"


async def test_an_expired_session_leads_to_the_sign_in_and_back(owner: Browser) -> None:
    await later(31)
    assert (await owner.open(LIST)).headers["location"] == "/sign-in?next=%2Fw%2Facme%2Fsettings%2Fapi-keys"
    assert (await owner.open(LIST, **{"hx-request": "true"})).headers["hx-redirect"].startswith("/sign-in?next=")


async def _csrf(browser: Browser) -> list[tuple[str, str]]:
    await browser.open("/account")
    return [(name, value) for name, value in browser.form("/sign-out").values if name == "csrf"]


async def _all(team: Team) -> list[ApiKey]:
    return list((await keys.page(await seen(team.owner, team.slug), Window(100))).items)
