"""`doctor` on the command line: its lines and exit code, while a node runs."""

from __future__ import annotations

from pathlib import Path

from app import database
from app.paths import DEFAULT_CATALOGUE
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, KIND, PEPPER, Team, make_key
from tests.support.server import Server


async def test_it_prints_one_line_for_each_check_and_exits_with_0(keydesk: Keydesk, team: Team, node: Server) -> None:
    await make_key(team)
    lines = keydesk("doctor").splitlines()
    assert {line.split()[0] for line in lines} == {"ok", "warn"}
    assert not [line for line in lines if PEPPER in line or GATEWAY_TOKEN in line]
    findings = keydesk.json("doctor")
    assert len(findings) == len(lines)
    assert {frozenset(finding) for finding in findings} == {frozenset({"level", "what", "text"})}
    # The role of these tests owns the tables.
    expected = ["cookies"] if KIND == "sqlite" else ["cookies", "audit"]
    assert [finding["what"] for finding in findings if finding["level"] != "ok"] == expected


async def test_a_failure_is_exit_code_one(keydesk: Keydesk, team: Team) -> None:
    await make_key(team)
    async with database.transaction():
        await database.fetch("UPDATE audit_entry SET target = 'nothing' WHERE chain = {}", team.workspace.id)
    done = keydesk.run("doctor")
    assert done.returncode == 1
    broken = f"fail  audit           the chain {team.workspace.id} is broken at entry 1 (aud_"
    assert [line for line in done.stdout.splitlines() if line.startswith(broken)]


async def test_another_catalogue_can_be_checked_before_it_is_used(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    key = (await make_key(team)).key
    path = tmp_path / "catalogue.toml"
    path.write_text(DEFAULT_CATALOGUE.read_text().replace("rotate_every_days = 90", "rotate_every_days = 10"))
    (line,) = keydesk("doctor", "--catalogue", str(path)).splitlines()
    assert line.startswith("warn  due soon  acme, Production server") and key.id in line
    path.write_text("[plans]")
    assert "catalogue.toml" in keydesk.refused("doctor", "--catalogue", str(path))
    assert "cannot be read" in keydesk.refused("doctor", "--catalogue", str(tmp_path / "nowhere.toml"))
