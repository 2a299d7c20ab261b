"""The first hour with Keydesk, as a person has it: through the pages, by the words on them, and with the commands that they offer.

Other tests show each part in detail; this one shows that nothing stops a newcomer on the way through all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PASSWORD, PATIENCE_SECONDS, Desk, Person, curl
from tests.support.server import Server, free_port


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """With a receiver of webhooks on this machine."""
    environment = {"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db", "KEYDESK_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    with Server(environment, tmp_path, patient=True).running() as server:
        yield Desk(server, environment)


def test_nothing_stops_a_newcomer_in_the_first_hour(chromium: Browser, desk: Desk, tmp_path: Path) -> None:
    nora = newcomer(chromium, desk)
    first = a_key_is_created_and_used(nora, "Print server")
    second = a_key_is_rotated_while_two_programs_use_it(nora, desk, first)
    a_key_is_revoked(nora, second)
    assert use(desk, second, "web-shop") == (401, "REVOKED")
    a_member_is_invited_and_joins(nora, chromium, desk)
    a_program_manages_the_workspace(nora)
    a_webhook_is_received(nora, tmp_path)
    a_refused_request_is_found(nora, curl(f"{desk.url}/v1/self", "-H", f"X-API-Key: {second}")[1])
    nora.context.close()
    assert nora.complaints == []


def newcomer(chromium: Browser, desk: Desk) -> Person:
    """Someone who opens the address first is shown where the link is, and owns a workspace a form later."""
    person = Person.open_browser(chromium, desk.url)
    person.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    person.open("/")
    expect(person.page.get_by_role("status")).to_contain_text("in the output of keydesk serve")
    person.open(desk.server.set_up_link())
    for label, text in {"Your name": "Nora", "E-mail": "nora@example.com", "Password": PASSWORD, "Workspace": "Paper Mill"}.items():
        person.page.get_by_label(label).fill(text)
    person.press("Create workspace")
    return person


def a_key_is_created_and_used(person: Person, name: str) -> str:
    """Returns its secret. The command beside it works in a shell as it is, and the page sees the request."""
    page = person.page
    page.get_by_role("link", name="Create").last.click()
    expect(page.get_by_role("heading", name="Create API key")).to_be_visible()
    secret = person.create_key(name)
    assert copied(page, secret) == secret
    variable, command = copied(page, "FL_API_KEY="), copied(page, "curl")
    assert json.loads(in_a_shell(variable, command))["name"] == name
    expect(page.get_by_text("It works: used")).to_be_visible()
    page.get_by_role("link", name="I have copied").click()
    return secret


def a_key_is_rotated_while_two_programs_use_it(person: Person, desk: Desk, old: str) -> str:
    """Returns the new secret."""
    page = person.page
    assert use(desk, old, "billing") == use(desk, old, "web-shop") == (200, None)
    person.follow("Rotate")
    person.press("Create the new key")
    new = copied(page, "fl_live_")
    page.get_by_role("link", name="I have copied").click()
    for moved, program in enumerate(("billing", "web-shop"), 1):
        assert use(desk, new, program) == (200, None)
        expect(page.get_by_text("Moved", exact=True)).to_have_count(moved)
        assert use(desk, old, "late") == (200, None)
    for program in ("curl", "late"):
        page.get_by_role("button", name=f"Ignore {program}").click()
    person.press("Revoke the old key now")
    person.press("Revoke the old key anyway")
    expect(page.get_by_text("The old key is revoked; the new key has replaced it.")).to_be_visible()
    assert use(desk, old, "late") == (401, "REVOKED") and use(desk, new, "billing") == (200, None)
    return new


def a_key_is_revoked(person: Person, secret: str) -> None:
    """From the list; it is in use, so its prefix is asked for."""
    page = person.page
    person.follow("API keys")
    page.get_by_role("link", name="Print server").first.click()
    page.get_by_label("More actions").click()
    person.follow("Revoke")
    expect(page.get_by_role("row").filter(has_text="billing")).to_contain_text("none")  # it asked for no permission
    page.get_by_role("radio", name="No longer needed").check()
    page.get_by_label("type its prefix").fill(secret[:12])
    person.press("Revoke this key permanently")
    expect(page.get_by_text("Revoked permanently")).to_be_visible()


def a_member_is_invited_and_joins(person: Person, chromium: Browser, desk: Desk) -> None:
    page = person.page
    person.follow("Members")
    page.get_by_label("E-mail").fill("ed@example.com")
    page.get_by_role("radio", name="Editor").check()
    person.press("Invite member")
    ed = Person.open_browser(chromium, desk.url)
    ed.open(copied(page, "/invitations/"))
    ed.page.get_by_label("Your name").fill("Ed")
    ed.page.get_by_label("Password").fill(PASSWORD)
    ed.press("Join")
    expect(ed.page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(ed.page.get_by_role("link", name="Webhooks")).to_have_count(0)
    ed.context.close()
    assert ed.complaints == []
    page.get_by_role("link", name="I have copied").click()
    expect(page.get_by_role("row", name="ed@example.com")).to_be_visible()


def a_program_manages_the_workspace(person: Person) -> None:
    """With a management key of the scope that the guide names, and the first command of the guide."""
    page = person.page
    person.follow("Management keys")
    person.follow("Create management key")
    page.get_by_label("Name", exact=True).fill("Pipeline")
    page.get_by_label("keys.read").check()
    person.press("Create management key")
    variable, command = copied(page, "KEYDESK_MANAGEMENT_KEY="), copied(page, "curl")
    assert json.loads(in_a_shell(variable, command))["data"]["viewer"]["effectiveScopes"] == ["keys.read"]
    with page.expect_popup() as opened:
        page.get_by_role("link", name="GraphQL").last.click()
    answer = json.loads(in_a_shell(variable, copied(opened.value, "/graphql")))
    assert answer["data"]["workspace"]["slug"] == "paper-mill"
    opened.value.close()
    page.get_by_role("link", name="I have copied").click()


def a_webhook_is_received(person: Person, folder: Path) -> None:
    """By the receiver of the guide, which checks the signature."""
    page, port = person.page, free_port()
    person.follow("Webhooks")
    person.follow("Create webhook")
    page.get_by_label("Name", exact=True).fill("My script")
    page.get_by_label("URL").fill(f"http://127.0.0.1:{port}/hook")
    person.press("Create webhook")
    secret = copied(page, "whsec_")
    page.get_by_role("link", name="I have copied").click()
    guide = person.context.new_page()
    guide.goto(f"{person.url}/docs/webhooks")
    with receiver(copied(guide, "http.server"), secret, port, folder / "received"):
        guide.close()
        page.get_by_role("button", name="test").click()
        expect(page.get_by_text("Delivered", exact=True)).to_be_visible()
    assert "webhook.test This is a test of the webhook" in (folder / "received").read_text()


def a_refused_request_is_found(person: Person, answer: bytes) -> None:
    """By the id in the answer, as it is there."""
    page, id = person.page, json.loads(answer)["instance"]
    page.wait_for_load_state()
    page.keyboard.press("Control+K")
    page.keyboard.insert_text(id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Key revoked")).to_be_visible()
    expect(page.get_by_text(id.rpartition(":")[2])).to_be_visible()


def use(desk: Desk, secret: str, program: str) -> tuple[int, str | None]:
    """A request of this program with the key: its status, and the code of a refusal."""
    status, body = curl(f"{desk.url}/v1/self", "-A", f"{program}/1.0", "-H", f"X-API-Key: {secret}")
    return status, json.loads(body).get("code")


def copied(page: Page, text: str) -> str:
    """What the button beside the first text with these words copies."""
    box = page.locator(".copyable").filter(has_text=text).first
    box.get_by_role("button").click()
    expect(box.get_by_role("button")).to_contain_text("Copied")
    return str(page.evaluate("() => navigator.clipboard.readText()"))


def in_a_shell(*lines: str) -> bytes:
    """The output of these lines, pasted into a shell one after the other."""
    done = subprocess.run(["sh"], input="\n".join(lines).encode(), capture_output=True, check=True, timeout=PATIENCE_SECONDS)
    return done.stdout


@contextlib.contextmanager
def receiver(program: str, secret: str, port: int, output: Path) -> Iterator[None]:
    own = {"WEBHOOK_SECRET": secret, "PORT": str(port)}
    with output.open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", program], env=os.environ | own, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
