"""Commands for a leaked key: `find`, `revoke` and `suspend-workspace`, against a running node."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import database
from app.access.actor import Actor
from app.cli import secret_scan
from app.clock import DAY
from app.errors import NotAllowed, NotFound
from app.gateway_tokens import service as gateway_tokens
from app.journal import file as journal
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import generate
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.processes import ROOT
from tests.support.server import Server

OPERATOR = Actor.operator()


async def leaked(kind: str, team: Team) -> tuple[str, str]:
    """The id and secret of a new credential of this kind."""
    if kind == "API_KEY":
        created = await make_key(team, "Shop", description="Invoices.\nAsk ada.", labels=("team=web", "pci"))
        return created.key.id, created.secret or ""
    if kind == "MANAGEMENT_KEY":
        key, secret = await management_keys.create(
            team.owner, team.slug, ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
        )
        return key.id, secret
    made = await gateway_tokens.create(OPERATOR, "edge", workspace=team.slug)
    return made.token.id, made.secret


KINDS = ("API_KEY", "MANAGEMENT_KEY", "GATEWAY_TOKEN")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_leaked_secret_is_found_in_its_line_and_revoked(kind: str, keydesk: Keydesk, team: Team) -> None:
    id, secret = await leaked(kind, team)
    line = f"2027-05-12 GET /pdfs X-API-Key: {secret} 200\n"
    found = keydesk.json("find", stdin=line)
    assert (found["id"], found["kind"], found["workspace"], found["status"]) == (id, kind, "acme", "ACTIVE")
    if kind == "API_KEY":
        assert (found["description"], found["labels"]) == ("Invoices.\nAsk ada.", ["pci", "team=web"])
        printed = keydesk("find", stdin=line)
        assert "Invoices. Ask ada." in printed and "pci, team=web" in printed
    ended = keydesk.json("revoke", "--reason", "EXPOSED_IN_LOGS", stdin=line)
    assert ended == found | {"status": "REVOKED", "revokedAt": ended["revokedAt"]} | (
        {"revocationReason": "EXPOSED_IN_LOGS"} if kind == "API_KEY" else {}
    )
    assert keydesk.json("find", stdin=secret) == ended


async def test_on_a_terminal_it_prompts_and_does_not_echo_the_input(keydesk: Keydesk, team: Team) -> None:
    created = await make_key(team)
    keyboard, terminal = os.openpty()
    with subprocess.Popen(
        keydesk.command("find", "--json"), cwd=ROOT, env=keydesk.variables,
        stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None and process.stderr is not None
        asked = process.stderr.read(len("Secret: "))
        os.write(keyboard, f"{created.secret}\n".encode())
        found = json.loads(process.stdout.read())
    os.set_blocking(keyboard, False)
    assert (asked, found["id"]) == (b"Secret: ", created.key.id)
    with contextlib.suppress(BlockingIOError):
        assert (created.secret or "").encode() not in os.read(keyboard, 1_000)
    os.close(keyboard)
    os.close(terminal)


async def test_the_plain_output_describes_the_key_and_never_contains_the_secret(keydesk: Keydesk, team: Team) -> None:
    created = await make_key(team, "Shop")
    done = keydesk.under(KEYDESK_LOG_LEVEL="DEBUG").run("find", stdin=created.secret or "")
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    said = {name: value.strip() for name, value in lines.items()}
    assert said["workspace"] == "acme"
    assert said["name"] == "Shop"
    assert said["prefix"] == created.key.prefix
    assert said["status"] == "ACTIVE"
    assert said["last used at"] == "never"
    assert (created.secret or "") not in done.stdout + done.stderr


async def test_when_revoke_has_answered_the_node_refuses_and_the_journal_has_it(
    keydesk: Keydesk, team: Team, node: Server, environment: dict[str, str]
) -> None:
    created = await make_key(team)

    def ask() -> dict[str, Any]:
        bearer = {"authorization": f"Bearer {GATEWAY_TOKEN}"}
        answer: dict[str, Any] = httpx.post(f"{node.url}/v1/verify", json={"key": created.secret}, headers=bearer).json()
        return answer

    assert ask()["code"] == "VALID"
    keydesk("revoke", "--reason", "COMMITTED_TO_REPOSITORY", "--note", "in infra", stdin=created.secret or "")
    assert ask()["code"] == "REVOKED"
    assert created.key.id in journal.read(Path(environment["KEYDESK_REVOCATION_JOURNAL"]))
    revoked = (await keys.get(team.owner, created.key.id)).revocation
    assert revoked is not None
    assert (revoked.reason, revoked.note, revoked.by.kind) == (Reason.COMMITTED_TO_REPOSITORY, "in infra", "OPERATOR")


async def test_revoking_by_id_twice_changes_nothing_the_second_time(keydesk: Keydesk, team: Team) -> None:
    created = await make_key(team)
    first = keydesk.json("revoke", "--reason", "OTHER", "--key", created.key.id)
    assert keydesk.json("revoke", "--reason", "MEMBER_LEFT", "--key", created.key.id) == first


def test_a_token_from_the_settings_is_reported_as_such(keydesk: Keydesk) -> None:
    assert keydesk.refused("find", stdin=GATEWAY_TOKEN) == (
        "This is one of KEYDESK_GATEWAY_TOKENS. Take it out there and restart every node."
    )


def test_an_unknown_secret_is_reported_as_such(keydesk: Keydesk) -> None:
    assert keydesk.refused("find", stdin="fl_live_" + "a" * 38) == "There is no such key or token."
    assert keydesk.refused("revoke", "--reason", "OTHER", "--key", "key_aaaaaaaaaaaaaaaaaaaa") == "There is no such API key."
    assert "Missing option '--reason'" in keydesk.run("revoke", stdin="x").stderr
    assert keydesk.refused("find", code=2) == "Secret: expected on stdin."


async def test_a_suspended_workspaces_keys_are_refused_until_it_is_resumed(keydesk: Keydesk, team: Team, node: Server) -> None:
    created = await make_key(team)

    def code() -> str:
        bearer = {"authorization": f"Bearer {GATEWAY_TOKEN}"}
        return str(httpx.post(f"{node.url}/v1/verify", json={"key": created.secret}, headers=bearer).json()["code"])

    assert code() == "VALID"
    assert keydesk.json("suspend-workspace", "acme")["suspendedAt"] is not None
    assert code() == "SUSPENDED"
    assert keydesk.json("resume-workspace", "acme")["suspendedAt"] is None
    assert code() == "VALID"
    assert keydesk.refused("suspend-workspace", "none") == "There is no such workspace."


async def test_only_the_operator_may_ask_whose_secret_it_is(team: Team) -> None:
    _, secret = await leaked("MANAGEMENT_KEY", team)
    for look in (keys.find_by_secret, management_keys.find_by_secret, gateway_tokens.find_by_secret):
        with pytest.raises((NotFound, NotAllowed)):
            await look(team.owner, secret)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_every_secret_is_found_at_any_position_and_in_any_encoding(encoding: str, keydesk: Keydesk, team: Team) -> None:
    one, two, three = [await leaked(kind, team) for kind in KINDS]
    text = f'\r\n \r\nKEY_{one[1]}; {{"a": "x\\n{two[1]}"}} {one[1]}\r\n+TOKEN="{three[1]}"tail\r\n'
    done = subprocess.run(
        keydesk.command("revoke", "--json", "--reason", "OTHER"), cwd=ROOT, env=keydesk.variables,
        input=text.encode(encoding), capture_output=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert {each["id"] for each in ended} == {one[0], two[0], three[0]}
    assert {each["status"] for each in ended} == {"REVOKED"}


def together(*parts: tuple[str, str]) -> bytes:
    return b"".join(text.encode(encoding) for text, encoding in parts)


@pytest.mark.parametrize("second", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("first", ["ascii", "utf-16-le"])
@pytest.mark.parametrize("end", ["\r\n", "x", ""])
def test_every_part_of_a_text_is_decoded_in_its_own_encoding(first: str, second: str, end: str) -> None:
    """As if one shell appended UTF-16 to a file of ASCII, and another one ASCII to that."""
    one, two, three = [generate("fl", kind) for kind in ("live", "test", "live")]
    raw = together((f"KEY={one}{end}", first), (f"\u043a\u043b KEY={two}{end}", second), (f"{three}{end}", "ascii"))
    found = secret_scan.read(secret_scan.text_of(raw))
    assert (set(found.whole), found.pieces) == ({one, two, three}, 0)


def test_nul_separators_do_not_join_texts() -> None:
    one, two = generate("fl", "live"), generate("fl", "live")
    found = secret_scan.read(secret_scan.text_of(f"A=1\0B={one}\0{two}\0{one[:20]}\0".encode()))
    assert (set(found.whole), found.pieces) == ({one, two}, 1)


async def test_unanswered_secrets_are_counted_beside_those_that_were_found(keydesk: Keydesk, team: Team) -> None:
    id, secret = await leaked("API_KEY", team)
    unknown = "fl_live_" + "a" * 38
    done = keydesk.run("find", "--json", stdin=f"{secret} {unknown}\0{secret[:30]}\n")
    assert (done.returncode, json.loads(done.stdout)["id"]) == (3, id)
    assert done.stderr.splitlines() == ["Found: 1.", "Not known: 1.", "Cut short or mistyped, so not looked up: 1."]


@pytest.mark.parametrize("text", ["nothing like a key\n", "H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA=="])
def test_input_without_any_secret_is_not_an_all_clear(keydesk: Keydesk, text: str) -> None:
    done = keydesk.run("find", "--json", stdin=text)
    assert (done.returncode, json.loads(done.stdout)) == (3, [])
    assert "no all-clear" in done.stderr
