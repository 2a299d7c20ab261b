"""The list answers every search text, and the search of a workspace finds keys, requests, pages and actions."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from app.keys import service as keys
from app.keys.key import Reason
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.usage import logged_only
from tests.web.conftest import Browser, signed_in

SEARCH = "/w/acme/search"


@pytest.mark.parametrize("text", ["x" * 201, "x" * 40_000, "%" * 20_000, "fl_live_" + "a" * 40_000, "é" * 10_000])
async def test_a_very_long_search_text_is_truncated_and_finds_nothing(viewer: Browser, team: Team, text: str) -> None:
    await make_key(team)
    address = f"/w/acme/settings/api-keys?{urlencode({'q': text})}"
    assert (await viewer.open(address)).status_code == 200
    assert "Production server" not in viewer.page and text[:201] not in viewer.page
    assert (await viewer.open(address, **{"HX-Request": "true", "HX-Target": "main#main"})).status_code == 200


async def hits(browser: Browser, text: str) -> dict[str, str]:
    """What the search finds in a browser without script: the path of each link, by its title."""
    assert (await browser.open(f"{SEARCH}?{urlencode({'q': text})}")).status_code == 200
    main = browser.page.partition('<main id="main"')[2].partition("</main>")[0]
    found = re.findall(r'<a href="([^"]+)"[^>]*><span class="clip">([^<]*)</span>', main)
    return {html.unescape(title): path for path, title in found}


async def test_a_key_is_found_by_name_prefix_id_and_complete_secret(viewer: Browser, team: Team) -> None:
    made = await make_key(team, "Invoicing worker")
    await make_key(team, "Other")
    key = {"Invoicing worker": f"/w/acme/settings/api-keys/{made.key.id}"}
    for text in ("invoicing", made.key.prefix, made.key.id, made.secret, f"  {made.key.id} "):
        assert await hits(viewer, text) == key, text
        assert made.secret not in viewer.page


async def test_keys_are_found_by_an_address_a_network_or_a_program_that_uses_them(viewer: Browser, team: Team) -> None:
    used, other = [(await make_key(team, name)).key for name in ("Used there", "Used elsewhere")]
    await use(used.id, address="198.51.100.7")
    await use(other.id, address="192.0.2.7")
    for text in ("198.51.100.7", "198.51.100.200", "198.51.100.0/24"):
        assert list(await hits(viewer, text)) == ["Used there"], text
        assert "used by 198.51.100.0/24" in viewer.page
    assert (await hits(viewer, "curl")).keys() == {"Used there", "Used elsewhere"}
    for text in ("198.51.100.0/16", "203.0.113.9"):
        assert await hits(viewer, text) == {}, text


async def test_a_request_is_found_by_its_id(viewer: Browser, team: Team) -> None:
    key = (await make_key(team, "Invoicing")).key
    request_id = await logged_only(key.id)
    for text in (request_id, f"urn:keydesk:request:{request_id}"):
        assert await hits(viewer, text) == {"Request with Invoicing": f"/w/acme/requests/{request_id}"}
    assert await hits(viewer, "req_aaaaaaaaaaaaaaaaaaaa") == {}


async def test_nothing_of_another_workspace_is_found(browse: Callable[..., Browser], team: Team, other_team: Team) -> None:
    key = (await make_key(team, "Invoicing worker")).key
    await use(key.id, address="198.51.100.7")
    request_id = await logged_only(key.id)
    stranger = await signed_in(browse(), other_team.owner)
    for text in ("invoicing", key.prefix, key.id, "198.51.100.7", request_id, "rotate invoicing"):
        assert (await stranger.open(f"/w/{other_team.slug}/search?{urlencode({'q': text})}")).status_code == 200
        assert "Invoicing worker" not in stranger.page and "No results" in stranger.page, text
    assert (await stranger.open(f"{SEARCH}?q=invoicing")).status_code == 404


async def test_an_action_on_a_key_is_offered_to_those_who_may_do_it(owner: Browser, viewer: Browser, team: Team) -> None:
    key, gone = [(await make_key(team, name)).key for name in ("Invoicing", "Invoicing, old")]
    await keys.revoke(team.owner, gone.id, Reason.OTHER)
    of_key = f"/w/acme/settings/api-keys/{key.id}"
    ends = {"edit": "edit", "Rotate": "rotation", "suspend": "suspension", "REVOKE": "revocation"}
    for verb, end in ends.items():
        assert await hits(owner, f"{verb} invoicing") == {f"{verb.capitalize()} Invoicing": f"{of_key}/{end}"}
        assert (await owner.open(f"{of_key}/{end}")).status_code == 200
        assert await hits(viewer, f"{verb} invoicing") == {}


async def test_pages_and_actions_are_found_by_their_names_as_far_as_the_reader_may_open_them(
    owner: Browser, viewer: Browser, team: Team
) -> None:
    assert await hits(owner, "new key") == {
        "Create API key": "/w/acme/settings/api-keys/new",
        "Create management key": "/w/acme/settings/management-keys/new",
    }
    assert await hits(viewer, "new key") == {}
    assert list(await hits(viewer, "audit")) == ["Audit log"]
    everything = await hits(owner, "")
    assert {"Overview", "Webhooks", "Invite a member", "Your account"} <= everything.keys()
    assert everything.keys() - (await hits(viewer, "")).keys() == {
        *("Create API key", "Create management key", "Create webhook", "Invite a member"),
        *("Management keys", "Webhooks", "Automatic suspension"),
    }
    for path in everything.values():
        assert (await owner.open(path.partition("#")[0])).status_code == 200, path
        anchor = path.partition("#")[2]
        assert not anchor or f'id="{anchor}"' in owner.page, path


async def test_the_dialog_gets_the_same_hits_as_options(viewer: Browser, team: Team) -> None:
    await make_key(team, "<b>Invoicing</b>")
    answer = await viewer.open(f"{SEARCH}?q=invoicing", **{"HX-Request": "true", "HX-Target": "div#hits"})
    assert answer.text.count('role="option"') == 1 and 'id="hit-1"' in answer.text
    assert "&lt;b&gt;Invoicing&lt;/b&gt;" in answer.text and "<form" not in answer.text and "<h2" not in answer.text


async def test_no_two_shortcuts_have_the_same_keys(owner: Browser, team: Team) -> None:
    await owner.open("/w/acme")
    found = re.findall(r'data-keys="([^"]+)"', owner.page)
    assert len(found) == len(set(found)) > 10
    # A sequence whose first key is a shortcut itself could not be typed.
    assert not {keys[0] for keys in found if " " in keys} & {keys for keys in found if " " not in keys}
