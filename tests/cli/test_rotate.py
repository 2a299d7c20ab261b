"""`keydesk rotate` as in a CI job: real processes, a real server, and real applications that send requests throughout."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app import database
from app.access.actor import Actor, Scope
from app.clock import DAY, rfc3339
from app.keys import service as keys
from app.keys.key import Status
from app.keys.secret import PATTERN
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.rotations import service as rotations
from app.rotations.rotation import Progress, State
from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.access import at
from tests.support.processes import ROOT
from tests.support.server import Server

pytestmark = pytest.mark.slow
APPLICATION = Path(__file__).with_name("application.py")
# Reads the secret as a command does, and searches for it in the arguments and variables of all processes.
LOOK = """
import contextlib, os, pathlib, sys
secret = sys.stdin.read().removesuffix("\\n")
found = []

def files():
    for process in filter(str.isdigit, os.listdir("/proc")):
        # Others end while this looks.
        with contextlib.suppress(FileNotFoundError):
            yield from list(pathlib.Path("/proc", process).iterdir())

for file in files():
    if file.name in ("cmdline", "environ"):
        try:
            found += [str(file)] if secret.encode() in file.read_bytes() else []
        except OSError:
            pass
print("processes:", found, "secret:", secret)
pathlib.Path(sys.argv[1]).write_text(secret)
"""
FAST = ("--quiet", "0s", "--poll", "1s")
# A generous limit, not a guarantee: a busy machine starts processes slowly.
WITHIN_SECONDS = 120


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def alive(pid: str) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@dataclass
class Application:
    """A process that uses the key in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def answers(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def uses(self, key_id: str) -> bool:
        return self.answers()[-1:] == [["VALID", key_id]]


@dataclass
class Job:
    """A CI job that rotates one key; the applications read it from `file`."""

    cli: Keydesk
    team: Team
    server: Server
    folder: Path
    key_id: str
    secret: str
    applications: list[Application] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "key"

    @property
    def deploy(self) -> str:
        file = shlex.quote(str(self.file))
        return f"cat > {file}.new && mv {file}.new {file}"

    def start_application(self, user_agent: str = "printer/1.2", ip: str = "203.0.113.9", file: Path | None = None) -> Application:
        log = self.folder / f"{len(self.applications)}.log"
        command = [sys.executable, str(APPLICATION), self.server.url, str(file or self.file), str(log), user_agent, ip]
        process = subprocess.Popen(command, env=os.environ | {"APPLICATION_TOKEN": GATEWAY_TOKEN})
        self.applications.append(Application(process, log))
        until(lambda: self.applications[-1].uses(self.key_id))
        return self.applications[-1]

    def run(self, *arguments: str, deploy: str | None = None, key: str | None = None) -> subprocess.CompletedProcess[str]:
        return self.cli.run("rotate", key or self.key_id, "--deploy", deploy or self.deploy, *FAST, *arguments)

    @contextlib.contextmanager
    def begun(self, *arguments: str, deploy: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """Starts the job; kills it at the end if it is still running."""
        command = self.cli.command("rotate", self.key_id, "--deploy", deploy or self.deploy, *FAST, *arguments)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=ROOT, env=self.cli.variables, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                yield process
            finally:
                process.kill()

    async def progress(self) -> Progress:
        found = await rotations.of_key(*await at(self.team.owner, self.key_id))
        assert found is not None
        return found

    async def statuses(self) -> tuple[Status, Status]:
        """The statuses of the old and the new key in the database."""
        run, now = await self.progress(), await database.now()
        return run.predecessor.status(now), run.successor.status(now)


@pytest.fixture
async def job(node: Server, team: Team, tmp_path: Path) -> Any:
    """A workspace on the plan Free, whose only key an application is about to use."""
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = 'free' WHERE id = {}", team.workspace.id)
    made = await make_key(team)
    asked = ManagementKeyInput("CI", (Scope.KEYS_WRITE,), await database.now() + DAY)
    _, management_key = await management_keys.create(Actor.operator(), team.slug, asked)
    cli = Keydesk({"KEYDESK_SERVER": node.url, "KEYDESK_MANAGEMENT_KEY": management_key})
    found = Job(cli, team, node, tmp_path, made.key.id, str(made.secret))
    found.file.write_text(found.secret)
    yield found
    for application in found.applications:
        application.process.kill()
        application.process.wait()


def told(done: subprocess.CompletedProcess[str], code: int) -> dict[str, Any]:
    """The single JSON object on stdout."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    return answer


async def test_the_only_key_of_a_free_workspace_is_replaced_without_refusing_its_application(job: Job) -> None:
    application = job.start_application()
    answer = told(job.run("--json"), 0)
    run = await job.progress()
    assert (run.state, run.predecessor.id, run.rotation.id) == (State.COMPLETED, job.key_id, answer["rotation"])
    assert answer == {
        "outcome": "COMPLETED",
        "reason": None,
        "rotation": run.rotation.id,
        "state": "COMPLETED",
        "resumed": False,
        "deadline": rfc3339(run.rotation.deadline),
        "predecessor": {"id": job.key_id, "prefix": run.predecessor.prefix},
        "successor": {"id": run.successor.id, "prefix": run.successor.prefix},
        "left": [],
    }
    assert await job.statuses() == (Status.REVOKED, Status.ACTIVE)
    until(lambda: application.uses(run.successor.id))
    assert {code for code, _ in application.answers()} == {"VALID"}


async def test_each_caller_that_moves_is_printed_and_the_result_is_one_line(job: Job) -> None:
    job.start_application()
    done = job.run(key="Production server")
    run = await job.progress()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{run.rotation.id} is completed: {run.successor.id} works, {job.key_id} is revoked.\n"
    begun, *lines = done.stderr.splitlines()
    assert begun.startswith(f"The rotation {run.rotation.id} is begun: {run.successor.id} (")
    assert f"The new key {run.successor.prefix}… has been used." in lines
    assert "Moved: printer from 203.0.113.0/24" in lines
    assert lines[-1] == "Ready: nobody needs the old key anymore."
    assert len(lines) == len(set(lines))


async def test_the_secret_is_nowhere_but_on_the_commands_stdin(job: Job) -> None:
    """It is in no arguments or variables of any process, in no output, and not in the server's log."""
    seen, script = job.folder / "seen", job.folder / "look.py"
    script.write_text(LOOK)
    job.start_application()
    deploy = shlex.join([sys.executable, str(script), str(seen)]) + " && " + shlex.join(["cp", str(seen), str(job.file)])
    done = job.run(deploy=deploy)
    assert done.returncode == 0, done.stderr
    secret = seen.read_text()
    assert PATTERN.fullmatch(secret)
    assert "processes: [] secret: [secret]" in done.stderr
    for text in (done.stdout, done.stderr, job.server.log.read_text()):
        assert secret not in text and job.secret not in text and job.cli.environment["KEYDESK_MANAGEMENT_KEY"] not in text


async def test_the_command_does_not_get_the_management_key(job: Job) -> None:
    done = job.run(deploy="env; exit 1")
    assert "KEYDESK_SERVER=" in done.stderr and "KEYDESK_MANAGEMENT_KEY" not in done.stderr


async def test_a_failing_command_cancels_and_the_next_run_starts_over(job: Job) -> None:
    application = job.start_application()
    first = told(job.run("--json", deploy="cat > /dev/null; echo no disk; exit 7"), 4)
    assert (first["outcome"], first["state"], first["reason"]) == ("CANCELLED", "CANCELLED", "The command failed with exit code 7.")
    assert await job.statuses() == (Status.ACTIVE, Status.REVOKED)
    again = told(job.run("--json", "--deadline", "2d", deploy="exit 3"), 4)
    last = told(job.run("--json", "--deadline", "2d"), 0)
    assert len({answer["rotation"] for answer in (first, again, last)}) == 3
    assert last["resumed"] is False
    assert {code for code, _ in application.answers()} == {"VALID"}


async def test_a_command_that_fails_after_the_new_key_is_in_use_cuts_off_no_caller(job: Job) -> None:
    application = job.start_application()
    script = f"{job.deploy}; until grep -v {job.key_id} {application.log} | grep -q VALID; do sleep 0.1; done; exit 1"
    answer = told(job.run("--json", deploy=script), 3)
    assert (answer["outcome"], answer["reason"]) == ("LEFT_OPEN", "The command failed with exit code 1.")
    assert await job.statuses() == (Status.ACTIVE, Status.ACTIVE)
    assert {code for code, _ in application.answers()} == {"VALID"}
    # After a fix, the rotation continues, and nothing is deployed twice.
    assert told(job.run("--json", deploy="exit 9"), 0) == answer | {
        "outcome": "COMPLETED", "reason": None, "state": "COMPLETED", "resumed": True, "left": []
    }  # fmt: skip


async def test_if_nobody_uses_the_new_key_it_is_cancelled_at_the_time_limit(job: Job) -> None:
    application = job.start_application()
    answer = told(job.run("--json", "--wait", "3s", deploy="cat > /dev/null"), 4)
    assert (answer["outcome"], answer["reason"]) == ("CANCELLED", "The time is up.")
    assert await job.statuses() == (Status.ACTIVE, Status.REVOKED)
    assert [left["userAgent"] for left in answer["left"]] == ["printer"]
    assert {code for code, _ in application.answers()} == {"VALID"}


async def test_a_command_that_never_exits_is_killed_with_all_its_children(job: Job) -> None:
    pids = job.folder / "pids"
    deploy = f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; wait"
    answer = told(job.run("--json", "--wait", "2s", deploy=deploy), 4)
    assert answer["reason"] == "The time is up."
    until(lambda: not any(alive(pid) for pid in pids.read_text().split()))


async def test_if_one_caller_has_not_moved_both_keys_stay_and_it_is_named(job: Job) -> None:
    job.start_application()
    (job.folder / "old").write_text(job.secret)
    job.start_application("scanner/3", "198.51.100.7", job.folder / "old")
    done = job.run("--wait", "8s")
    assert done.returncode == 3, done.stderr
    assert await job.statuses() == (Status.ACTIVE, Status.ACTIVE)
    run = await job.progress()
    assert (
        f"{job.key_id} and {run.successor.id} work. The time is up. Still on the old key: scanner from 198.51.100.0/24."
        in done.stdout
    )
    assert "Still on the old key: scanner from 198.51.100.0/24" in done.stderr.splitlines()
    # After it has moved, a second run completes the rotation.
    (job.folder / "old").write_text(job.file.read_text())
    until(lambda: job.applications[1].uses(run.successor.id))
    answer = told(job.run("--json", deploy="exit 9", key="Production server"), 0)
    assert (answer["resumed"], answer["rotation"]) == (True, run.rotation.id)
    assert await job.statuses() == (Status.REVOKED, Status.ACTIVE)
    for application in job.applications:
        assert {code for code, _ in application.answers()} == {"VALID"}


async def test_force_complete_completes_at_the_time_limit_and_names_callers_that_are_cut_off(job: Job) -> None:
    job.start_application()
    (job.folder / "old").write_text(job.secret)
    behind = job.start_application("scanner/3", "198.51.100.7", job.folder / "old")
    answer = told(job.run("--json", "--wait", "8s", "--force-complete"), 0)
    assert [left["userAgent"] for left in answer["left"]] == ["scanner"]
    assert await job.statuses() == (Status.REVOKED, Status.ACTIVE)
    until(lambda: behind.answers()[-1] == ["REVOKED", job.key_id])


async def test_even_with_force_a_key_that_nobody_used_is_cancelled(job: Job) -> None:
    job.start_application()
    answer = told(job.run("--json", "--wait", "2s", "--force-complete", deploy="cat > /dev/null"), 4)
    assert answer["outcome"] == "CANCELLED"
    assert await job.statuses() == (Status.ACTIVE, Status.REVOKED)


async def test_killed_before_the_new_key_is_deployed_a_second_run_replaces_it(job: Job) -> None:
    application = job.start_application()
    reached = job.folder / "reached"
    with job.begun("--deadline", "3d", deploy=f"cat > {reached}; sleep 20") as process:
        until(lambda: reached.exists() and reached.read_text() != "")
        process.kill()
    first = await job.progress()
    answer = told(job.run("--json", "--deadline", "3d"), 0)
    run = await job.progress()
    assert (answer["rotation"], run.rotation.id) == (first.rotation.id, first.rotation.id)
    assert (answer["resumed"], run.successor.id != first.successor.id) == (False, True)
    lost = await keys.get(job.team.owner, first.successor.id)
    assert lost.status(await database.now()) is Status.REVOKED
    assert await job.statuses() == (Status.REVOKED, Status.ACTIVE)
    assert {code for code, _ in application.answers()} == {"VALID"}


async def test_killed_while_it_waits_a_second_run_continues(job: Job) -> None:
    job.start_application()
    (job.folder / "old").write_text(job.secret)
    job.start_application("scanner/3", "198.51.100.7", job.folder / "old")
    with job.begun() as process:
        until(lambda: job.file.read_text().strip() != job.secret)
        secret = job.file.read_text()
        until(lambda: job.applications[0].answers()[-1][1] != job.key_id)
        process.kill()
    (job.folder / "old").write_text(secret)
    answer = told(job.run("--json", deploy="exit 9"), 0)
    assert answer["resumed"] is True
    assert job.file.read_text() == secret


async def test_of_two_jobs_the_one_whose_new_key_was_replaced_fails_and_revokes_nothing(job: Job) -> None:
    application = job.start_application()
    reached, go = job.folder / "reached", job.folder / "go"
    with job.begun(deploy=f"cat > {reached}; until [ -e {go} ]; do sleep 0.1; done") as process:
        until(lambda: reached.exists() and reached.read_text() != "")
        answer = told(job.run("--json"), 0)
        go.touch()
        out, err = process.communicate(timeout=WITHIN_SECONDS)
    assert (process.returncode, out) == (1, "")
    assert "Error: Another process has gone on with this rotation: the key that the command got here is revoked" in err
    run = await job.progress()
    assert (run.state, run.successor.id) == (State.COMPLETED, answer["successor"]["id"])
    assert {code for code, _ in application.answers()} == {"VALID"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_cancels_if_the_new_key_is_not_yet_in_use(job: Job, number: signal.Signals) -> None:
    reached = job.folder / "reached"
    with job.begun("--json", deploy=f"cat > {reached}; sleep 20") as process:
        until(lambda: reached.exists() and reached.read_text() != "")
        process.send_signal(number)
        out, err = process.communicate(timeout=WITHIN_SECONDS)
    assert (process.returncode, json.loads(out)["reason"]) == (4, "A signal was received."), err
    assert await job.statuses() == (Status.ACTIVE, Status.REVOKED)


async def test_a_signal_leaves_the_rotation_open_if_the_new_key_is_in_use(job: Job) -> None:
    job.start_application()
    (job.folder / "old").write_text(job.secret)
    job.start_application("scanner/3", "198.51.100.7", job.folder / "old")
    with job.begun("--json") as process:
        until(lambda: job.applications[0].answers()[-1][1] != job.key_id)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WITHIN_SECONDS)
    assert (process.returncode, json.loads(out)["outcome"]) == (3, "LEFT_OPEN"), err
    assert await job.statuses() == (Status.ACTIVE, Status.ACTIVE)


async def test_it_waits_while_the_server_is_temporarily_unavailable(job: Job) -> None:
    job.start_application()
    (job.folder / "old").write_text(job.secret)
    behind = job.start_application("scanner/3", "198.51.100.7", job.folder / "old")
    with job.begun("--json", "--wait", "2m") as process:
        until(lambda: job.applications[0].answers()[-1][1] != job.key_id)
        new = job.applications[0].answers()[-1][1]
        job.server.kill()
        assert process.stderr is not None
        until(lambda: "does not answer" in (process.stderr.readline() if process.stderr else ""))
        job.server.start()
        (job.folder / "old").write_text(job.file.read_text())
        out, err = process.communicate(timeout=WITHIN_SECONDS)
    assert process.returncode == 0, err
    assert json.loads(out)["outcome"] == "COMPLETED"
    until(lambda: behind.uses(new))


async def test_a_rotation_ended_by_somebody_else_is_reported_as_it_ended(job: Job) -> None:
    job.start_application()
    with job.begun("--json", deploy="cat > /dev/null") as process:
        assert process.stderr is not None
        process.stderr.readline()
        run = await job.progress()
        await rotations.cancel(job.team.owner, run.rotation.id)
        out, err = process.communicate(timeout=WITHIN_SECONDS)
    assert (process.returncode, json.loads(out)["outcome"]) == (4, "CANCELLED"), err
    assert json.loads(out)["reason"] == "Someone else cancelled it, or its new key is over."


async def test_run_again_after_it_was_completed_it_says_so_and_changes_nothing(job: Job) -> None:
    job.start_application()
    first = told(job.run("--json", "--deadline", "2d"), 0)
    assert told(job.run("--json", "--deadline", "2d", deploy="exit 9"), 0) == first | {"resumed": True}
    assert len((await rotations.succession(*await at(job.team.owner, job.key_id))).line) == 2
