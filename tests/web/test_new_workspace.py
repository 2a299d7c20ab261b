"""A user creates a further workspace in the dashboard, from the switcher or their account."""

from __future__ import annotations

import asyncio
import re

from app import runtime
from app.access.actor import Actor, Role
from app.provisioning import deletion
from app.provisioning.self_service import Allowance
from app.tenancy import service as tenancy
from app.workspaces import service as workspaces
from tests.conftest import Team
from tests.support.users import REQUEST, make_owner, sign_in
from tests.web.conftest import Browser, rows

NEW = "/workspaces/new"
LINK = f'href="{NEW}"'


def switcher(page: str) -> str:
    found = re.search(r'<details class="switcher">.*?</details>', page, re.DOTALL)
    return found[0] if found else ""


def main(page: str) -> str:
    return page.partition("<main")[2].partition("</main")[0]


async def test_from_the_switcher_a_user_with_one_workspace_creates_another(owner: Browser, team: Team) -> None:
    await owner.open(f"/w/{team.slug}")
    assert LINK in switcher(owner.page)
    await owner.open(NEW)
    assert "on the plan Free, with 1 API key" in owner.page
    answer = await owner.send(NEW, name="Second team")
    assert (answer.status_code, answer.headers["location"]) == (303, "/w/second-team?done=created")
    await owner.follow()
    assert "The workspace is created, and you are its owner." in owner.page
    assert all(f'href="/w/{slug}"' in switcher(owner.page) for slug in (team.slug, "second-team"))
    await owner.open("/")
    assert (owner.shown and owner.shown.headers["location"]) == "/w/second-team"


async def test_a_refused_form_keeps_its_input(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    for name, message in (("", "Enter a name for the workspace."), ("Kept" * 30, "At most 100 characters")):
        assert (await owner.send(NEW, name=name)).status_code == 422
        assert message in owner.page and dict(owner.form(NEW).values)["name"] == name
    assert (await owner.send(NEW, name=team.workspace.name)).headers["location"] == f"/w/{team.slug}-2?done=created"


async def test_the_form_sent_twice_creates_one_workspace_and_both_answers_lead_to_it(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    fields = owner.form(NEW).filled(name="Second team")
    before = await rows("workspace")
    answers = await asyncio.gather(*(owner.post(NEW, fields, **owner.same_origin_headers) for _ in range(2)))
    answers += [await owner.post(NEW, fields, **owner.same_origin_headers)]
    assert {(each.status_code, each.headers["location"]) for each in answers} == {(303, "/w/second-team?done=created")}
    assert await rows("workspace") == before + 1


async def test_at_the_limit_the_page_says_what_to_do_and_shows_no_form(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    fields = owner.form(NEW).filled(name="Too many")
    with runtime.replaced(Allowance(1)):
        assert (await owner.post(NEW, fields, **owner.same_origin_headers)).status_code == 409
        await owner.open(NEW)
        assert "A user can own one workspace here, and you own 1. Delete one, or leave one to another owner." in owner.page
        assert "contact the operator of this service" in owner.page
        assert f'href="/w/{team.slug}/settings/workspace/deletion"' in main(owner.page) and "<form" not in main(owner.page)
        await owner.open(f"/w/{team.slug}")
        assert LINK in switcher(owner.page)
    assert await rows("workspace") == 1


async def test_where_only_the_operator_creates_workspaces_none_is_offered(owner: Browser, team: Team) -> None:
    await owner.open(NEW)
    fields = owner.form(NEW).filled(name="Refused")
    with runtime.replaced(Allowance(0)):
        for path in (f"/w/{team.slug}", "/account"):
            await owner.open(path)
            assert LINK not in owner.page
        assert (await owner.post(NEW, fields, **owner.same_origin_headers)).status_code == 403
        await owner.open(NEW)
        assert "Only the operator of Keydesk can create workspaces." in owner.page
    assert await rows("workspace") == 1


async def test_the_owner_of_a_suspended_workspace_is_refused(owner: Browser, team: Team) -> None:
    await workspaces.suspend(Actor.operator(), team.slug)
    assert (await owner.open(NEW)).status_code == 200
    assert "A workspace of yours is suspended. Please contact support." in owner.page
    assert "<form" not in main(owner.page)


async def test_a_user_without_any_workspace_creates_one_from_the_account(browser: Browser) -> None:
    user, workspace = await make_owner()
    signed_in = await sign_in()
    await deletion.delete(signed_in.session.actor(REQUEST), workspace.id, workspace.slug)
    browser.token = (await sign_in()).token
    await browser.open("/account")
    assert LINK in browser.page and "Create one, or ask the owner of one to invite ann@example.org." in browser.page
    await browser.open(NEW)
    assert (await browser.send(NEW, name="Again")).headers["location"] == "/w/again?done=created"
    assert (await browser.follow()).status_code == 200
    assert [each.role for each in await tenancy.mine(Actor.user(user.id, user.name))] == [Role.OWNER]
