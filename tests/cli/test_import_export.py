"""`import` and `export` as processes: reports, repetition, `kill -9`, and that no secret leaves."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from app import database, nouns
from app.access.actor import Actor
from app.keys import service as keys
from app.keys.key import Reason
from app.plans import service as plans
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.http import Gateway
from tests.support.server import Server

MANY = 1_500
# The tests share the journal, and what one of them has revoked no other can import.
FIRST = 10_000
KILLS = 3


def secret(number: int) -> str:
    return f"other_{number:06}_RdNJgHuKbFaQsVbP"


def unkey_file(path: Path, count: int, *more: str, first: int = 0) -> Path:
    hashes = [base64.b64encode(hashlib.sha256(secret(first + number).encode()).digest()).decode() for number in range(count)]
    rows = [f"k{number},{hashed},other_{number:06},Key {number},1" for number, hashed in enumerate(hashes)]
    path.write_text("\n".join(["id,hash,start,name,enabled", *rows, *more]) + "\n")
    return path


def arguments(team: Team, file: Path) -> tuple[str, ...]:
    return (
        "import",
        str(file),
        "--workspace",
        team.slug,
        "--from",
        "unkey",
        "--environment",
        "production",
        "--permissions",
        "pdf.read",
    )


def parsed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_an_import_is_reported_first_applied_then_and_found_by_its_secret(
    keydesk: Keydesk, team: Team, tmp_path: Path
) -> None:
    given = arguments(team, unkey_file(tmp_path / "keys.csv", 2, "k9,not a hash,x,Bad,1"))
    done = keydesk.run(*given)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "line 2  Key 0  to be created",
        "line 3  Key 1  to be created",
        "line 4  Bad    The hash is not sha256 in hexadecimal or Base64.",
        "2 to be created, 0 there already, 1 refused.",
        "Nothing was changed. With --apply this is done.",
    ]
    assert "Nothing in it has the shape" in keydesk.run("find", stdin=secret(0)).stderr
    applied = keydesk.run(*given, "--apply", "--json")
    report = json.loads(applied.stdout)
    assert (report["applied"], report["new"], report["existing"], report["refused"]) == (True, 2, 0, 1)
    assert [line["state"] for line in report["lines"]] == ["NEW", "NEW", "REFUSED"]
    assert keydesk.json("find", stdin=secret(0) + "\n")["id"] == report["lines"][0]["id"]
    assert keydesk.refused("find", stdin=secret(7)) == "There is no such key or token."
    assert keydesk.json("revoke", "--reason", "OTHER", stdin=secret(1))["status"] == "REVOKED"
    assert keydesk.run(*given, "--apply").stdout.splitlines()[1:] == ["0 created, 2 there already, 1 refused."]


async def test_a_secret_that_was_imported_twice_is_revoked_with_both_keys_and_unknown_columns_are_ignored_by_name(
    keydesk: Keydesk, team: Team, tmp_path: Path
) -> None:
    own = secret(FIRST - 1)
    rows = [f"CI,{algorithm},{hashlib.new(algorithm, own.encode()).hexdigest()},x" for algorithm in ("sha256", "sha512")]
    (tmp_path / "keys.csv").write_text("\n".join(["name,algorithm,hash,validUntil", *rows]) + "\n")
    given = ("import", str(tmp_path / "keys.csv"), *arguments(team, tmp_path)[2:4], *arguments(team, tmp_path)[6:], "--apply")
    assert keydesk.refused(*given).startswith("Column 4 has no known name; there are name, hash, algorithm,")
    report = keydesk.json(*given, "--ignore-columns", "valid_until")
    assert (report["new"], report["refused"]) == (2, 0)
    revoked = keydesk.json("revoke", "--reason", "OTHER", stdin=own)
    assert {each["id"] for each in revoked} == {line["id"] for line in report["lines"]}
    assert [each["status"] for each in revoked] == ["REVOKED"] * 2
    # In a database that lacks the import, the journal still knows both.
    async with database.transaction():
        for table in ("imported_key", "key_last_used", "api_key"):
            await database.fetch(f"DELETE FROM {table}")
    again = keydesk.run(*given, "--ignore-columns", "valid_until")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (1, "0 created, 0 there already, 2 refused.")
    assert "This key was revoked here." in again.stdout
    assert await imported() == 0


@pytest.mark.slow
async def test_a_killed_import_is_completed_by_repeating_it_and_every_key_verifies(
    keydesk: Keydesk, node: Server, team: Team, tmp_path: Path
) -> None:
    await plans.change_plan(Actor.operator(), team.slug, "scale_enterprise")
    file = unkey_file(tmp_path / "keys.csv", MANY, first=FIRST)
    for part in range(1, KILLS + 1):
        started = keydesk.command(*arguments(team, file), "--apply")
        running = subprocess.Popen(started, env=keydesk.variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while await imported() < part * MANY // (KILLS + 1):
            assert running.poll() is None
            time.sleep(0.002)
        running.kill()
        assert running.wait() == -signal.SIGKILL
    before = await imported()
    assert 0 < before < MANY
    report = keydesk.json(*arguments(team, file), "--apply")
    assert (report["new"], report["existing"], report["refused"]) == (MANY - before, before, 0)
    assert await imported() == MANY
    assert [each["sound"] for each in keydesk.json("audit", "verify")] == [True, True]
    gateway = Gateway(node.port, GATEWAY_TOKEN)
    ids = [(await gateway.verdict(secret(FIRST + number))).json()["keyId"] for number in range(0, MANY, 25)]
    await gateway.close()
    assert ids == [line["id"] for line in report["lines"][::25]]


async def test_an_export_has_every_row_once_and_no_secret(
    keydesk: Keydesk, team: Team, other_team: Team, environment: dict[str, str], tmp_path: Path
) -> None:
    made, foreign = await make_key(team, "Production “server”"), await make_key(other_team)
    await keys.revoke(team.owner, made.key.id, Reason.OTHER, "No longer in use")
    keydesk(*arguments(team, unkey_file(tmp_path / "keys.csv", 1)), "--apply")
    file = tmp_path / "all.jsonl"
    done = keydesk.json("export", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    head, *rows, end = parsed(file.read_text())
    assert (head["type"], head["version"], head["workspace"], head["digests"]) == ("export", 1, None, False)
    assert end == {"type": "end", "lines": done["lines"]}
    for export in nouns.EXPORTS:
        (counted,) = await database.fetch(f"SELECT count(*) AS n FROM {export.table}")
        assert sum(row["type"] == export.type for row in rows) == counted["n"] == done["lines"].get(export.type, 0), export.type
    (key,) = [row for row in rows if row["type"] == "apiKey" and row["id"] == made.key.id]
    assert (key["name"], key["permissions"], key["allowedIps"]) == ("Production “server”", ["pdf.generate", "pdf.read"], [])
    assert key["revokedAt"].endswith("Z") and key["revocationNote"] == "No longer in use"
    assert {row["role"] for row in rows if row["type"] == "member"} == {"owner", "editor", "viewer"}
    assert [row["source"] for row in rows if row["type"] == "importedKey"] == ["unkey"]
    assert {row["chain"] for row in rows if row["type"] == "auditEntry"} == {team.workspace.id, other_team.workspace.id}
    text = file.read_text()
    for hidden in (made.secret, foreign.secret, secret(0), environment["KEYDESK_PEPPER"], "password", 'digest"', "sealed"):
        assert hidden is not None and hidden not in text, hidden

    assert "there is a file of this name already" in keydesk.refused("export", str(file))
    assert parsed(keydesk("export", "-"))[1:] == [*rows, end]
    keydesk("export", str(tmp_path / "digests.jsonl"), "--digests")
    (row,) = await database.fetch("SELECT digest FROM api_key WHERE id = {}", made.key.id)
    found = {each["id"]: each for each in parsed((tmp_path / "digests.jsonl").read_text()) if each["type"] == "apiKey"}
    assert (found[made.key.id]["digest"], found[made.key.id]["pepperVersion"]) == (bytes(row["digest"]).hex(), 1)


async def test_an_export_of_one_workspace_has_nothing_of_others(keydesk: Keydesk, team: Team, other_team: Team) -> None:
    made, foreign = await make_key(team), await make_key(other_team)
    text = keydesk("export", "-", "--workspace", team.slug)
    head, *rows, _ = parsed(text)
    assert head["workspace"] == team.slug
    assert {row["id"] for row in rows if row["type"] == "apiKey"} == {made.key.id}
    assert {row["id"] for row in rows if row["type"] == "user"} == {team.owner.id, team.editor.id, team.viewer.id}
    for other in (foreign.key.id, other_team.workspace.id, other_team.owner.id, "rival"):
        assert other not in text
    assert keydesk.refused("export", "-", "--workspace", "nowhere") == "There is no such workspace."


async def imported() -> int:
    return int((await database.fetch("SELECT count(*) AS n FROM imported_key"))[0]["n"])
