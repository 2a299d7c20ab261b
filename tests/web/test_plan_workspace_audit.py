"""Plan, workspace settings and audit log."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app import database
from app.access.actor import Actor
from app.clock import DAY
from app.keys import service as keys
from app.main import create_app
from app.plans import service as plans
from app.settings import Settings
from app.tenancy import service as tenancy
from app.tenancy.workspace import BusinessHours
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.web.conftest import Browser, rows, signed_in

WORKSPACE = "/w/acme/settings/workspace"
PLAN = "/w/acme/settings/plan"
LIST = "/w/acme/settings/api-keys"
NEW = f"{LIST}/new"
LOG = "/w/acme/settings/audit-log"


async def now_of(team: Team) -> workspaces.Workspace:
    return (await tenancy.mine(team.owner))[0].workspace


async def test_a_smaller_plan_is_chosen_after_reading_what_it_means(owner: Browser, team: Team) -> None:
    for name in ("one", "two", "three"):
        await make_key(team, name)
    await owner.open(PLAN)
    assert "3 of 10 keys on Scale" in owner.page and f'href="{PLAN}/starter"' in owner.page
    await owner.open(f"{PLAN}/starter")
    assert "All 3 keep working" in owner.page and "until 2 keys are revoked or expired" in owner.page
    assert (await owner.send(f"{PLAN}/starter")).headers["location"] == PLAN
    await owner.follow()
    assert "3 of 2 keys on Starter" in owner.page and "no new key can be created until 2 keys are" in owner.page
    assert (await now_of(team)).plan == "starter"


async def test_only_the_operator_can_assign_a_larger_plan(owner: Browser, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "free")
    await owner.open(PLAN)
    assert "on request" in owner.page and f'href="{PLAN}/growth"' not in owner.page
    assert f'href="/docs/cli#keydesk-set-plan"><code>keydesk set-plan {team.slug}<' in owner.page
    assert 'id="keydesk-set-plan"' in (await owner.open("/docs/cli")).text
    await owner.open(PLAN)
    csrf = {"csrf": dict(owner.form("/sign-out").values)["csrf"]}
    assert (await owner.open(f"{PLAN}/growth")).status_code == 404
    assert (await owner.open(f"{PLAN}/nonsense")).status_code == 404
    assert (await owner.post(f"{PLAN}/growth", csrf, **owner.same_origin_headers)).status_code == 403
    assert (await owner.post(f"{PLAN}/nonsense", csrf, **owner.same_origin_headers)).status_code == 422
    assert (await now_of(team)).plan == "free"


async def test_at_the_limit_the_keys_that_were_used_least_are_offered_for_revocation(owner: Browser, team: Team) -> None:
    busy, idle, unused, spare = [(await make_key(team, name)).key for name in ("Busy", "Idle", "Unused", "Spare")]
    now = await database.now()
    async with database.transaction():
        for key, ago in ((busy, 1), (idle, 40 * DAY)):
            await database.fetch("UPDATE key_last_used SET last_used_at = {} WHERE key = {}", now - ago, key.id)
    await owner.open(NEW)
    assert "Least used keys" not in owner.page, "there is room"
    await plans.change_plan(Actor.operator(), team.slug, "starter")
    await owner.open(NEW)
    assert owner.page.count(">Revoke</a>") == 3
    links = [f'href="{LIST}/{key.id}/revocation" aria-label="Revoke {key.name}"' for key in (unused, spare, idle)]
    assert all(link in owner.page for link in links) and f"{busy.id}/revocation" not in owner.page
    assert "never used, created" in owner.page and "last used" in owner.page and "does not count toward the limit" in owner.page


async def test_the_operators_address_is_linked_where_only_the_operator_can_help(settings: Settings, team: Team) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "free")
    asking = Browser(create_app(replace(settings, contact="mailto:ops@example.com")))
    await signed_in(asking, team.owner)
    for path in (PLAN, NEW):
        await make_key(team) if path == NEW else None
        await asking.open(path)
        assert 'href="mailto:ops@example.com"' in asking.page and "keydesk set-plan" not in asking.page
    await workspaces.suspend(Actor.operator(), team.slug)
    await asking.open(PLAN)
    assert re.search(r'This workspace is suspended.*href="mailto:ops@example.com"[^>]*>contact support', asking.page)


async def test_members_who_may_not_change_the_plan_see_plans_without_buttons(viewer: Browser, team: Team) -> None:
    await viewer.open(PLAN)
    assert "0 of 10 keys on Scale" in viewer.page and f'href="{PLAN}/' not in viewer.page
    assert (await viewer.open(f"{PLAN}/free")).status_code == 404


async def test_the_workspace_is_renamed_and_its_address_stays(owner: Browser, team: Team) -> None:
    await owner.open(WORKSPACE)
    answer = await owner.send(WORKSPACE, name=" Acme & Söhne ", timezone="Europe/Berlin")
    assert answer.headers["location"] == f"{WORKSPACE}?done=yes"
    found = await now_of(team)
    assert (found.name, found.slug, found.timezone, found.business_hours) == ("Acme & Söhne", "acme", "Europe/Berlin", None)


async def test_a_time_zone_is_found_by_its_place_and_an_old_name_stays_chosen(owner: Browser, team: Team) -> None:
    await owner.open(WORKSPACE)
    assert '<option value="Europe/Berlin">Berlin</option>' in owner.page
    assert "US/East-Indiana" not in owner.page and owner.page.count(" selected>") == owner.page.count("UTC</option>") + 1
    await workspaces.update(team.owner, team.slug, timezone="US/East-Indiana")
    await owner.open(WORKSPACE)
    assert '<option value="US/East-Indiana" selected>US/East-Indiana</option>' in owner.page


async def test_business_hours_are_set_kept_and_removed(owner: Browser, team: Team) -> None:
    hours = BusinessHours(("MONDAY", "SUNDAY"), "07:30", "19:00")
    given = {"businessHours.days": ["SUNDAY", "MONDAY"], "businessHours.opens": "07:30", "businessHours.closes": "19:00"}
    await owner.open(WORKSPACE)
    await owner.send(WORKSPACE, hours="set", **given)
    assert (await now_of(team)).business_hours == hours
    await owner.open(WORKSPACE)
    await owner.send(WORKSPACE, name="Acme Two")
    assert ((await now_of(team)).name, (await now_of(team)).business_hours) == ("Acme Two", hours)
    await owner.open(WORKSPACE)
    await owner.send(WORKSPACE, hours="none")
    assert (await now_of(team)).business_hours is None


async def test_faults_of_business_hours_are_at_their_fields(owner: Browser, team: Team) -> None:
    for given, field in (
        ({"businessHours.days": []}, "businessHours.days"),
        ({"businessHours.opens": "25:00"}, "businessHours.opens"),
        ({"businessHours.opens": "18:00", "businessHours.closes": "18:00"}, "businessHours.closes"),
    ):
        await owner.open(WORKSPACE)
        answer = await owner.send(WORKSPACE, hours="set", **given)
        assert answer.status_code == 422 and f'id="{field}-fault"' in owner.page, field
        assert re.search('name="hours" value="set" checked', owner.page)
    assert (await now_of(team)).business_hours is None


async def test_faults_are_reported_at_their_fields_and_no_input_is_lost(owner: Browser, team: Team) -> None:
    await owner.open(WORKSPACE)
    before = await rows("audit_entry")
    answer = await owner.send(WORKSPACE, name="", timezone="Moon/Crater")
    assert answer.status_code == 422
    assert {"name", "timezone"} == set(re.findall(r'id="(\w+)-fault"', owner.page))
    assert dict(owner.form(WORKSPACE).values)["name"] == ""
    assert await rows("audit_entry") == before


async def test_members_who_may_not_change_the_workspace_can_read_it(viewer: Browser, team: Team) -> None:
    await viewer.open(WORKSPACE)
    assert "Time zone" in viewer.page
    assert f'action="{WORKSPACE}"' not in viewer.page


async def test_the_log_lists_the_newest_first_in_sentences(owner: Browser, team: Team) -> None:
    key = (await make_key(team, "Billing")).key
    await owner.open(WORKSPACE)
    await owner.send(WORKSPACE, name="Acme Two")
    await owner.open(LOG)
    told = [owner.page.index(text) for text in ("Changed the name of the workspace", "Created the API key <a")]
    assert told == sorted(told)
    assert "<del>Acme</del> → <ins>Acme Two</ins>" in owner.page
    assert "203.0.113.9" in owner.page
    await owner.open(f"{LOG}?target={key.id}")
    assert "1 entry about" in owner.page and "Acme Two" not in owner.page.split("<tbody>")[1]


async def test_the_log_is_paged_in_both_directions_without_gaps(owner: Browser, team: Team) -> None:
    for n in range(60):
        await workspaces.update(team.owner, team.slug, name=f"Name {n}")
    await owner.open(LOG)
    first = re.findall(r'<tr id="(aud_\w+)"', owner.page)
    assert 'rel="prev"' not in owner.page
    (older,) = re.findall(r'rel="next" href="([^"]+)"', owner.page)
    await owner.open(older)
    second = re.findall(r'<tr id="(aud_\w+)"', owner.page)
    assert (len(first), len(second), len({*first, *second})) == (50, 10, 60)
    assert 'rel="next"' not in owner.page
    (newer,) = re.findall(r'rel="prev" href="([^"]+)"', owner.page)
    await owner.open(newer)
    assert re.findall(r'<tr id="(aud_\w+)"', owner.page) == first


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=-1", "before=99999999999999999999", "target=%ff", "after=0", "before=0", "target=key_x"],
)
async def test_every_query_of_the_log_is_answered(owner: Browser, team: Team, query: str) -> None:
    await make_key(team)
    assert (await owner.open(f"{LOG}?{query}")).status_code == 200


@pytest.mark.parametrize(
    "path", [f"{LOG}?target=%00", f"{LOG}?%00", "/w/acme/settings/api-keys?q=a%00b", "/sign-in?next=%00", "/w/acme%00"]
)
async def test_a_nul_in_an_address_is_refused_before_any_database_sees_it(owner: Browser, path: str) -> None:
    assert (await owner.open(path)).status_code == 400


async def test_members_of_every_role_read_the_log(viewer: Browser, team: Team) -> None:
    await make_key(team, "Billing")
    assert (await viewer.open(LOG)).status_code == 200
    assert "Billing" in viewer.page


async def test_an_owner_deletes_the_workspace_after_typing_its_slug(owner: Browser, team: Team) -> None:
    path = f"{WORKSPACE}/deletion"
    key = (await make_key(team)).key
    await owner.open(WORKSPACE)
    assert f'href="{path}"' in owner.page
    await owner.open(path)
    assert "its 1 API key and all its management keys are refused" in owner.page
    assert (await owner.send(path, slug="other")).status_code == 422
    assert "Type acme to delete this workspace." in owner.page and await tenancy.mine(team.owner) != []
    assert (await owner.send(path, slug="acme")).headers["location"] == "/account?done=deleted"
    assert await tenancy.mine(team.owner) == []
    assert (await keys.get(Actor.operator(), key.id)).revocation is not None
    assert (await owner.open(WORKSPACE)).status_code in (303, 404)


async def test_others_are_offered_no_deletion(viewer: Browser, team: Team) -> None:
    await viewer.open(WORKSPACE)
    assert "deletion" not in viewer.page
    assert (await viewer.open(f"{WORKSPACE}/deletion")).status_code == 403
