"""Management keys in the dashboard: the list, creating with the secret shown once, faults at their fields, revoking."""

from __future__ import annotations

import re

import pytest

from app import database
from app.access.actor import Actor, Request, Role, Scope
from app.clock import DAY, MINUTE, in_zone
from app.errors import NotAuthenticated
from app.management_keys import service as management_keys
from app.management_keys.management_key import MOST_LIVING, ManagementKey, ManagementKeyInput, Status
from app.members import service as members
from app.paging import Window
from app.tenancy import service as tenancy
from app.users import store as user_store
from app.web.management_keys import LIFETIMES, ON_DATE, PAGE_SIZE, SCOPES
from app.workspaces import service as workspaces
from tests.conftest import Team
from tests.web.conftest import Browser, later

LIST = "/w/acme/settings/management-keys"
NEW = f"{LIST}/new"


async def made(team: Team, name: str = "CI", *networks: str, days: int = 30, maker: Actor | None = None) -> ManagementKey:
    asked = ManagementKeyInput(name, ("keys.read",), await database.now() + days * DAY, networks)
    return (await management_keys.create(maker or team.owner, team.slug, asked))[0]


async def all_of(team: Team) -> list[ManagementKey]:
    return [*(await management_keys.page(await tenancy.seen(team.owner, team.slug), Window(MOST_LIVING))).items]


def row(browser: Browser, key: ManagementKey) -> str:
    """The key's row in the list, as text without markup."""
    (found,) = re.findall(rf'<tr id="{key.id}".*?</tr>', browser.page, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


async def test_a_key_is_created_and_its_secret_is_shown_once(owner: Browser, team: Team) -> None:
    await owner.open(LIST)
    assert "No management keys yet" in owner.page
    await owner.open(NEW)
    fields = {"name": "Pipeline", "scopes": ["usage.read", "keys.write"], "lifetime": "30"}
    answered = await owner.send(NEW, **fields, allowedIps="203.0.113.9\n2001:db8::/48")
    assert answered.status_code == 201 and answered.headers["cache-control"] == "no-store"
    (secret,) = set(re.findall(r"fl_mgmt_[0-9A-Za-z]{30,}", owner.page))
    assert answered.headers["hx-replace-url"] == f"{LIST}?done=repeated"
    (key,) = await all_of(team)
    assert (key.name, key.scopes) == ("Pipeline", (Scope.KEYS_WRITE, Scope.USAGE_READ))
    assert key.allowed_ips == ("203.0.113.9/32", "2001:db8::/48") and key.maker and key.maker.id == team.owner.id
    assert 29 * DAY < key.expires_at - key.created_at <= 30 * DAY
    await management_keys.authenticate(secret, Request("203.0.113.9"))
    with pytest.raises(NotAuthenticated):
        await management_keys.authenticate(secret, Request("198.51.100.7"))
    assert "effectiveScopes" in answered.text
    for path in (LIST, f"{LIST}?done=repeated", f"{LIST}/{key.id}/revocation", "/w/acme/settings/audit-log"):
        assert (await owner.open(path)).status_code == 200 and secret not in owner.page and "Pipeline" in owner.page
    await owner.open(LIST)
    shown = row(owner, key)
    for text in ("Pipeline", key.prefix, "keys.write", "usage.read", "203.0.113.9/32", "2001:db8::/48", key.maker.name, "Active"):
        assert text in shown
    assert "Never" not in shown


async def test_a_form_sent_twice_or_reloaded_makes_one_key_whatever_time_has_passed(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    form = owner.form(NEW).filled(name="CI", scopes=["keys.read"], lifetime="30")
    first = await owner.post(NEW, form, **owner.same_origin_headers)
    await later(2)
    second = await owner.post(NEW, form, **owner.same_origin_headers)
    assert (first.status_code, second.status_code, len(await all_of(team))) == (201, 303, 1)
    await owner.follow()
    assert "was created once" in owner.page and "revoke the key and create another" in owner.page
    await owner.open(NEW)
    assert (await owner.send(NEW, name="CI", scopes=["keys.read"], lifetime="30")).status_code == 201
    assert len(await all_of(team)) == 2


@pytest.mark.parametrize(
    ("fields", "fault", "message"),
    [
        ({"name": " "}, "name", "Enter a name"),
        ({"scopes": []}, "scopes", "Choose at least one scope."),
        ({"lifetime": "4000"}, "lifetime", "Choose how long the key lives."),
        ({"lifetime": ON_DATE}, "expiresAt", "Enter the date and time"),
        ({"lifetime": ON_DATE, "expiresAt": "soon"}, "expiresAt", "This is not a date and time"),
        ({"lifetime": ON_DATE, "expiresAt": "2020-01-01T00:00"}, "expiresAt", "Choose a time in the future."),
        ({"lifetime": ON_DATE, "expiresAt": "2999-01-01T00:00"}, "expiresAt", "A management key lives 365 days at most."),
        ({"allowedIps": "203.0.113.0/33"}, "allowedIps", "is not an address or network"),
    ],
)
async def test_a_fault_is_reported_at_its_field_and_no_input_is_lost(
    owner: Browser, team: Team, fields: dict[str, str | list[str]], fault: str, message: str
) -> None:
    good: dict[str, str | list[str]] = {"name": "CI", "scopes": ["keys.read", "audit.read"], "lifetime": "90", "allowedIps": "::1"}
    await owner.open(NEW)
    assert (await owner.send(NEW, **{**good, **fields})).status_code == 422
    (text,) = re.findall(rf'<p class="fault" id="{fault}-fault">([^<]+)</p>', owner.page)
    assert message in text and owner.page.count('class="fault"') == 1 and await all_of(team) == []
    kept = owner.form(NEW).values
    for name, given in {**good, **fields}.items():
        sent = [given] if isinstance(given, str) else given
        if not (name == "lifetime" and given not in LIFETIMES):
            assert [value for field, value in kept if field == name] == sent


async def test_a_date_is_in_the_time_zone_of_the_workspace(owner: Browser, team: Team) -> None:
    await workspaces.update(team.owner, team.slug, timezone="Asia/Tokyo")
    expires_at = (await database.now() // MINUTE) * MINUTE + 20 * DAY
    local = f"{in_zone(expires_at, 'Asia/Tokyo'):%Y-%m-%dT%H:%M}"
    await owner.open(NEW)
    assert "In Asia/Tokyo" in owner.page
    assert (await owner.send(NEW, name="CI", scopes=["keys.read"], lifetime=ON_DATE, expiresAt=local)).status_code == 201
    (key,) = await all_of(team)
    assert key.expires_at == expires_at and f"{local[11:]} JST" in owner.page


async def test_each_preset_and_each_scope_can_be_chosen(owner: Browser, team: Team) -> None:
    assert [*SCOPES] == [*Scope]
    for lifetime in LIFETIMES.keys() - {ON_DATE}:
        await owner.open(NEW)
        assert (await owner.send(NEW, name=lifetime, scopes=[*Scope], lifetime=lifetime)).status_code == 201
    for key in await all_of(team):
        assert key.scopes == tuple(Scope) and round((key.expires_at - key.created_at) / DAY) == int(key.name)


async def test_a_key_too_many_is_a_conflict_that_keeps_the_input(
    owner: Browser, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management_keys, "MOST_LIVING", 1)
    await made(team)
    await owner.open(NEW)
    assert (await owner.send(NEW, name="Another", scopes=["keys.read"])).status_code == 409
    assert "Revoke one first" in owner.page and dict(owner.form(NEW).values)["name"] == "Another"
    assert len(await all_of(team)) == 1


async def test_revoking_is_confirmed_and_final(owner: Browser, team: Team) -> None:
    key, other = await made(team), await made(team, "Other")
    path = f"{LIST}/{key.id}/revocation"
    await owner.open(LIST)
    assert f'href="{path}"' in owner.page
    await owner.open(path)
    assert "Revoke management key “CI”" in owner.page and key.prefix in owner.page and (await all_of(team))[1].revoked_at is None
    assert (await owner.send(path)).status_code == 303
    await owner.follow()
    assert "The management key was revoked" in owner.page and f'href="{path}"' not in owner.page
    assert "Revoked" in row(owner, key) and "Active" in row(owner, other)
    now = await database.now()
    assert [each.status(now) for each in await all_of(team)] == [Status.ACTIVE, Status.REVOKED]
    assert (await owner.open(path)).headers["location"] == LIST


async def test_the_list_shows_each_state_and_who_made_a_key(owner: Browser, team: Team) -> None:
    networks = ["10.0.0.1", *(f"10.1.{number}.0/24" for number in range(4))]
    soon, long, over = await made(team, "Soon", days=3), await made(team, "Long", *networks, days=90), await made(team, "Over")
    operators = await made(team, "Ops", maker=Actor.operator(), days=365)
    async with database.transaction():
        await database.fetch("UPDATE management_key SET expires_at = {} WHERE id = {}", await database.now() - DAY, over.id)
    await owner.open(LIST)
    assert "Expires soon" in row(owner, soon) and "from anywhere" in row(owner, soon) and "Never" in row(owner, soon)
    assert "10.0.0.1/32" in row(owner, long) and "2 more" in row(owner, long) and "10.1.3.0/24" in row(owner, long)
    assert "Expired" in row(owner, over) and f"{LIST}/{over.id}/revocation" not in owner.page
    assert "by the operator" in row(owner, operators) and "4 management keys" in owner.page


async def test_the_list_has_pages(owner: Browser, team: Team) -> None:
    for number in range(PAGE_SIZE + 3):
        await made(team, f"key {number}")
    await owner.open(LIST)
    assert owner.page.count('<tr id="mgk_') == PAGE_SIZE and f"{PAGE_SIZE + 3} management keys" in owner.page
    (older,) = re.findall(r'rel="next" href="([^"]+)"', owner.page)
    await owner.open(older)
    assert owner.page.count('<tr id="mgk_') == 3 and "key 0" in owner.page
    (newer,) = re.findall(r'rel="prev" href="([^"]+)"', owner.page)
    await owner.open(newer)
    assert owner.page.count('<tr id="mgk_') == PAGE_SIZE


async def test_creating_needs_a_recent_password_and_then_goes_on_with_the_input(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    await later(11)
    answered = await owner.send(NEW, name="CI", scopes=["keys.read", "usage.read"], lifetime="30")
    assert answered.status_code == 403 and "confirmPassword" in owner.page and await all_of(team) == []
    kept = owner.form(NEW).values
    assert [value for name, value in kept if name == "scopes"] == ["keys.read", "usage.read"]


async def test_only_owners_see_and_reach_them_and_no_other_workspace_does(
    owner: Browser, editor: Browser, viewer: Browser, team: Team, other_team: Team
) -> None:
    key, theirs = await made(team), await made(other_team)
    for browser in (editor, viewer):
        await browser.open("/w/acme")
        assert LIST not in browser.page
        for path in (LIST, NEW, f"{LIST}/{key.id}/revocation"):
            assert (await browser.open(path)).status_code == 403
    await owner.open("/w/acme")
    assert f'href="{LIST}"' in owner.page
    for path in (f"/w/rival/settings/management-keys/{theirs.id}/revocation", f"{LIST}/{theirs.id}/revocation"):
        assert (await owner.open(path)).status_code == 404
        await owner.open("/account")
        token = dict(owner.form("/sign-out").values)
        assert (await owner.post(path, token, **owner.same_origin_headers)).status_code == 404
    assert (await management_keys.get(other_team.owner, theirs.id)).revoked_at is None


async def test_a_key_of_another_workspace_of_the_same_owner_is_not_revoked_through_this_one(
    owner: Browser, team: Team, other_team: Team
) -> None:
    user = await user_store.find(team.owner.id)
    assert user is not None
    _, link = await members.invite(other_team.owner, other_team.slug, user.email, Role.OWNER)
    await members.accept(team.owner, link.rpartition("/")[2])
    theirs = await made(other_team)
    assert (await owner.open(f"/w/rival/settings/management-keys/{theirs.id}/revocation")).status_code == 200
    assert (await owner.open(f"{LIST}/{theirs.id}/revocation")).status_code == 404
    await owner.open("/account")
    token = dict(owner.form("/sign-out").values)
    assert (await owner.post(f"{LIST}/{theirs.id}/revocation", token, **owner.same_origin_headers)).status_code == 404
    assert (await management_keys.get(other_team.owner, theirs.id)).revoked_at is None


async def test_in_a_suspended_workspace_keys_are_revoked_but_not_created(owner: Browser, team: Team) -> None:
    key = await made(team)
    await workspaces.suspend(Actor.operator(), team.slug)
    await owner.open(LIST)
    assert f'href="{NEW}"' not in owner.page and (await owner.open(NEW)).status_code == 403
    await owner.open(f"{LIST}/{key.id}/revocation")
    assert (await owner.send(f"{LIST}/{key.id}/revocation")).status_code == 303
    assert (await all_of(team))[0].revoked_at is not None
