"""The pages of a key's requests, and the search for a request by its id."""

from __future__ import annotations

import re

from app.keys import service as keys
from app.workspaces import service as workspaces
from tests.conftest import Team, make_key
from tests.support.usage import logged
from tests.web.conftest import Browser

LIST = "/w/acme/settings/api-keys"


def shown(page: str) -> list[str]:
    return re.findall(r'<tr id="(req_\w+)"', page)


async def test_the_key_leads_to_its_requests_and_each_says_why_it_was_refused(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    good = await logged(key.id)
    bad = await logged(key.id, "PERMISSION_DENIED", permission="pdf.delete", rule='{"allowed":["pdf.read"]}')
    await viewer.open(f"{LIST}/{key.id}")
    assert f'href="{LIST}/{key.id}/requests"' in viewer.page
    await viewer.open(f"{LIST}/{key.id}/requests")
    assert set(shown(viewer.page)) == {good, bad} and "The request needed pdf.delete. The key had pdf.read." in viewer.page
    await viewer.open(f"/w/acme/requests/{bad}")
    assert "add pdf.delete to the key" in viewer.page and f'href="{LIST}/{key.id}/edit"' not in viewer.page


async def test_who_may_mend_the_cause_is_led_there(editor: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    denied = await logged(key.id, "PERMISSION_DENIED", permission="pdf.delete", rule='{"allowed":["pdf.read"]}')
    still = await logged(key.id, "SUSPENDED")
    gone = await logged(key.id, "EXPIRED")
    elsewhere = await logged(key.id, "ENVIRONMENT_NOT_ALLOWED", rule='{"asked":"staging","own":"production"}')
    await keys.suspend(team.owner, key.id)
    for request, way in (
        (denied, f"{LIST}/{key.id}/edit"),
        (still, f"{LIST}/{key.id}/suspension"),
        (gone, f"{LIST}/new"),
        (elsewhere, f"{LIST}?environment=staging"),
    ):
        await editor.open(f"/w/acme/requests/{request}")
        assert f'href="{way}"' in editor.page, way


async def test_filters_and_search(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    good, bad = await logged(key.id, user_agent="billing"), await logged(key.id, "EXPIRED")
    for query, expected in (
        ("outcome=refused", [bad]),
        ("outcome=accepted", [good]),
        ("outcome=expired", [bad]),
        ("q=billing", [good]),
        ("q=nothing", []),
        ("permission=pdf.delete", []),
        ("since=2999-01-01", []),
        ("outcome=nonsense&since=x&after=y", [bad, good]),
    ):
        await viewer.open(f"{LIST}/{key.id}/requests?{query}")
        assert set(shown(viewer.page)) == set(expected), query


async def test_the_id_of_a_request_in_a_search_leads_to_its_page(viewer: Browser, team: Team) -> None:
    made = await logged((await make_key(team)).key.id)
    for text in (made, f"urn:keydesk:request:{made}"):
        for page in (LIST, f"{LIST}/{(await make_key(team)).key.id}/requests"):
            answer = await viewer.open(f"{page}?q={text}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/w/acme/requests/{made}")
    assert (await viewer.open("/w/acme/requests/req_aaaaaaaaaaaaaaaaaaaa")).status_code == 404


async def test_pages_of_the_log(viewer: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    made = {await logged(key.id, "EXPIRED") for _ in range(60)}
    await viewer.open(f"{LIST}/{key.id}/requests?outcome=refused")
    first = shown(viewer.page)
    (older,) = re.findall(r'rel="next" href="([^"]+)"', viewer.page)
    await viewer.open(older.replace("&amp;", "&"))
    assert len(first) == 50 and set(first) | set(shown(viewer.page)) == made and 'rel="prev"' in viewer.page


async def test_an_owner_switches_the_log_off(owner: Browser, team: Team) -> None:
    key = (await make_key(team)).key
    made = await logged(key.id)
    await owner.open("/w/acme/settings/workspace")
    await owner.send("/w/acme/settings/workspace", name="Acme", timezone="UTC", requests="not-logged")
    assert not (await workspaces.update(team.owner, team.slug)).logs_requests
    await owner.open(f"{LIST}/{key.id}/requests")
    assert "The request log is off" in owner.page
    assert (await owner.open(f"/w/acme/requests/{made}")).status_code == 404
    await owner.open("/w/acme/settings/workspace")
    assert '<option value="not-logged" selected>' in owner.page
    await owner.send("/w/acme/settings/workspace", name="Acme", timezone="UTC")
    assert not (await workspaces.update(team.owner, team.slug)).logs_requests
