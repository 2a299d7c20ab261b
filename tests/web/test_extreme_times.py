"""Keys with an expiry beyond the calendar: no form creates one, and every page can show an existing one."""

from __future__ import annotations

import pytest

from app import catalogue, database, mail
from app.alerts.alert import Alert, Kind
from app.alerts.emails import daily_digest, new_alerts
from app.calendar import service as calendars
from app.clock import DAY
from app.keys import service as keys
from app.tenancy import service as tenancy
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.users import token_of
from tests.web.conftest import Browser

LIST = "/w/acme/settings/api-keys"
END = 253_402_300_799_000_000
BEYOND = END + DAY


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("text", ["9999-12-31T23:59", "0001-01-01T00:00", "9999-12-31T23:59:59-14:00", "9001-01-02T00:00"])
async def test_a_form_with_such_a_time_is_refused_at_its_field(owner: Browser, team: Team, zone: str, text: str) -> None:
    await workspaces.update(team.owner, team.slug, timezone=zone)
    await owner.open(f"{LIST}/new")
    answer = await owner.send(
        f"{LIST}/new",
        name="Server",
        environment="production",
        permissions=["pdf.read"],
        lifetime="date",
        expiresAt=text,
        review="yes",
    )
    assert answer.status_code == 422 and "in the years 1970 to 9000" in answer.text


async def test_a_form_with_a_time_after_a_hundred_years_is_refused_at_its_field(owner: Browser, team: Team) -> None:
    await owner.open(f"{LIST}/new")
    fields = {
        "name": "Server",
        "environment": "production",
        "permissions": ["pdf.read"],
        "lifetime": "date",
        "expiresAt": "3000-01-01T00:00",
    }
    answer = await owner.send(f"{LIST}/new", **fields, review="yes")
    assert answer.status_code == 422 and "within 100 years" in answer.text


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("end", [END, BEYOND])
async def test_every_page_shows_a_key_with_such_an_expiry(owner: Browser, team: Team, zone: str, end: int) -> None:
    key = (await make_key(team)).key
    await workspaces.update(team.owner, team.slug, timezone=zone)
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = {}", end)
    await keys.update(team.owner, key.id, {"expires_at": await database.now() + DAY})
    async with database.transaction():
        await database.fetch("UPDATE api_key SET expires_at = {}", end)
    one = f"{LIST}/{key.id}"
    pages = ["/w/acme", LIST, f"{LIST}?sort=expires", one, f"{one}/edit", f"{one}/revocation", f"{one}/suspension"]
    for path in (*pages, f"{one}/rotation", "/w/acme/alerts", "/w/acme/settings/audit-log"):
        assert (await owner.open(path)).status_code == 200, path
    link = await calendars.renew_link(team.owner, team.slug)
    assert b"DTSTART:99991231T235959Z" in await calendars.read(token_of(link).removesuffix(".ics"))


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
async def test_a_mail_about_such_an_expiry_can_be_written(team: Team, zone: str) -> None:
    key, now = (await make_key(team)).key, await database.now()
    await workspaces.update(team.owner, team.slug, timezone=zone)
    workspace = (await tenancy.seen(team.owner, team.slug)).workspace
    found = Alert("alr_a", key, Kind.EXPIRY, 7, BEYOND, now, True)
    for write in (new_alerts, daily_digest):
        assert key.name in write(workspace, [found], catalogue.current(), mail.current().link, now).text
