"""The examples for programs, run as they are against a real server: Python with gql, shell with curl, and a workflow of GitHub."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import database
from app.access.actor import Actor, Scope
from app.clock import DAY
from app.keys import service as keys
from app.keys.key import Status
from app.keys.secret import PATTERN
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.rotations.rotation import State
from tests.cli.test_rotate import Job, until
from tests.conftest import Team, make_key
from tests.support.processes import ROOT, without_settings
from tests.support.programs import program
from tests.support.server import Server

pytestmark = pytest.mark.slow
WITHIN_SECONDS = 180
PYTHON, SHELL, WORKFLOW = (
    ROOT / "examples" / name for name in ("python/keys.py", "shell/keys.sh", "github-actions/rotate-key.yml")
)
Run = Callable[..., subprocess.CompletedProcess[str]]
# Does what `gh secret set` and `gh workflow run` do here: the application gets the secret, and everything else is noted.
GH = """#!/bin/sh
echo "$* in $GH_REPO with $GH_TOKEN and ${{KEYDESK_MANAGEMENT_KEY:-no management key}}" >> {noted}
case "$1" in secret) cat > {file}.new ;; workflow) mv {file}.new {file} ;; *) exit 1 ;; esac
"""


def python(*arguments: str) -> list[str]:
    return [sys.executable, str(PYTHON), *arguments]


def shell(*arguments: str) -> list[str]:
    for each in ("bash", "curl", "jq"):
        program(each)
    return [str(SHELL), *arguments]


@pytest.fixture
async def run(node: Server, team: Team, tmp_path: Path) -> Run:
    """Runs a command with a management key of the team, and returns its result with any exit code."""
    asked = ManagementKeyInput("script", (Scope.KEYS_WRITE,), await database.now() + DAY)
    _, secret = await management_keys.create(Actor.operator(), team.slug, asked)
    environment = without_settings() | {"KEYDESK_SERVER": node.url, "KEYDESK_MANAGEMENT_KEY": secret}

    def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=tmp_path, env=environment | variables, capture_output=True, text=True, timeout=WITHIN_SECONDS
        )
        assert secret not in done.stdout + done.stderr
        return done

    return run


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", [python, shell])
async def test_all_keys_are_listed_page_by_page(run: Run, team: Team, script: Callable[..., list[str]]) -> None:
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = 'scale_enterprise' WHERE id = {}", team.workspace.id)
    made = {(await make_key(team, f"Key {number}")).key.id for number in range(101)}
    lines = [line.split("\t") for line in succeeded(run(script("list"))).splitlines()]
    assert {line[0] for line in lines} == made and len(lines) == 101
    assert {line[2] for line in lines} == {"ACTIVE"} and {line[3] for line in lines} == {"production"}


async def test_python_creates_one_key_however_often_it_is_told_to(run: Run, team: Team, tmp_path: Path) -> None:
    file = tmp_path / "new.key"
    create = python("create", "Report runner", "pdf.read", "--environment", "staging", "--once", "job 17", "--secret-to")
    made = succeeded(run([*create, str(file)])).strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await _is_only_key(team, made, file.read_text())
    again = run([*create, str(tmp_path / "again.key")])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr == f"{made} was created before; only the first answer had its secret.\n"
    assert not (tmp_path / "again.key").exists()
    await _is_only_key(team, made, file.read_text())
    other = succeeded(run([*create, str(tmp_path / "other.key"), "--replace-unused"])).strip()
    assert PATTERN.fullmatch((tmp_path / "other.key").read_text())
    statuses = [(await keys.get(team.owner, each)).status(await database.now()) for each in (made, other)]
    assert statuses == [Status.REVOKED, Status.ACTIVE]


async def test_shell_creates_one_key_however_often_it_is_told_to_and_revokes_it(run: Run, team: Team) -> None:
    create = shell("create", "Report runner", "staging", "pdf.read")
    first = run(create, ONCE="job 17")
    made = first.stderr.strip()
    await _is_only_key(team, made, succeeded(first).strip())
    again = run(create, ONCE="job 17")
    assert (again.returncode != 0, again.stdout) == (True, "")
    assert "only the first answer had its secret" in again.stderr
    assert succeeded(run(shell("revoke", made, "NO_LONGER_NEEDED"))) == f"{made}\tREVOKED\n"
    assert (await keys.get(team.owner, made)).status(await database.now()) is Status.REVOKED


async def _is_only_key(team: Team, key_id: str, secret: str) -> None:
    rows = await database.fetch("SELECT id FROM api_key WHERE workspace = {}", team.workspace.id)
    assert [row["id"] for row in rows] == [key_id]
    key = await keys.get(team.owner, key_id)
    assert (key.name, key.environment, key.permissions) == ("Report runner", "staging", ("pdf.read",))
    assert PATTERN.fullmatch(secret) and secret.startswith(key.prefix)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(lambda: python("create", "x", "pdf.nothing", "--secret-to", "x.key"), id="python"),
        pytest.param(lambda: shell("create", "x", "production", "pdf.nothing"), id="shell"),
    ],
)
async def test_a_refusal_is_shown_with_its_field_and_fails_the_script(run: Run, command: Callable[[], list[str]]) -> None:
    done = run(command())
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(r"permissions(\.\d+)?: ", done.stderr), done.stderr


@pytest.mark.parametrize("command", [lambda: python("list"), lambda: shell("list")], ids=["python", "shell"])
async def test_a_wrong_management_key_fails_the_script(run: Run, command: Callable[[], list[str]]) -> None:
    done = run(command(), KEYDESK_MANAGEMENT_KEY="fl_mgmt_wrong")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert "fl_mgmt_wrong" not in done.stderr


async def test_python_rotates_a_key_without_an_outage_and_continues_where_it_was_interrupted(job: Job) -> None:
    application = job.start_application()
    rotate = python("rotate", job.key_id, "--quiet", "0", "--poll", "0.2")
    environment = without_settings() | job.cli.environment

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*rotate, *arguments], env=environment, capture_output=True, text=True, timeout=WITHIN_SECONDS)

    failed = run("--deploy", "cat > /dev/null; exit 1")
    assert failed.returncode == 1 and "the old key works as before" in failed.stderr
    assert await job.statuses() == (Status.ACTIVE, Status.REVOKED)
    # The key is in use only when the command has failed to wait.
    late = run("--deploy", f"{job.deploy}", "--wait", "0")
    assert late.returncode == 1 and "and both keys work" in late.stderr
    until(lambda: not application.uses(job.key_id))
    done = run("--deploy", "exit 9")
    run_ended = await job.progress()
    assert succeeded(done) == f"{run_ended.rotation.id}\tCOMPLETED\t{run_ended.successor.id}\n"
    assert await job.statuses() == (Status.REVOKED, Status.ACTIVE)
    until(lambda: application.uses(run_ended.successor.id))
    assert {code for code, _ in application.answers()} == {"VALID"}
    for each in (failed, late, done):
        assert not PATTERN.search(each.stdout + each.stderr)


async def test_the_workflow_rotates_a_key_and_its_log_contains_no_secret(job: Job) -> None:
    application, noted = job.start_application(), job.folder / "noted"
    gh = job.folder / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH.format(noted=noted, file=job.file))
    gh.chmod(0o755)
    values = {
        "vars.KEYDESK_PACKAGE": "keydesk",  # installed already
        "vars.KEYDESK_SERVER": job.server.url,
        "secrets.KEYDESK_MANAGEMENT_KEY": job.cli.environment["KEYDESK_MANAGEMENT_KEY"],
        "secrets.ROTATION_TOKEN": "a token of GitHub",
        "github.repository": "acme/pdf-api",
        "vars.API_KEY": job.key_id,
    }
    path = os.pathsep.join([str(gh.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    log = "".join(_run_step(step, values, {"PATH": path}) for step in _steps())
    run = await job.progress()
    assert (run.state, *await job.statuses()) == (State.COMPLETED, Status.REVOKED, Status.ACTIVE)
    assert noted.read_text().splitlines() == [
        "secret set PDF_API_KEY in acme/pdf-api with a token of GitHub and no management key",
        "workflow run deploy.yml in acme/pdf-api with a token of GitHub and no management key",
    ]
    until(lambda: application.uses(run.successor.id))
    assert {code for code, _ in application.answers()} == {"VALID"}
    assert not PATTERN.search(log) and f"{run.rotation.id} is completed" in log


def _steps() -> list[dict[str, Any]]:
    (work,) = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return [step for step in work["steps"] if "run" in step]


def _run_step(step: dict[str, Any], values: dict[str, str], more: dict[str, str]) -> str:
    """What the step writes to the log. It runs as GitHub runs it, but does not wait for half an hour."""
    given = {name: re.sub(r"\$\{\{ (\S+) \}\}", lambda name: values[name[1]], text) for name, text in step["env"].items()}
    given |= {name: text for name, text in (("QUIET", "0s"), ("WAIT", "2m")) if name in given}
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env=without_settings() | given | more,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WITHIN_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
