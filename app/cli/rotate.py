"""`keydesk rotate`: a CI job replaces a key; the rotation completes when the server sees that the old key is no longer used."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any, Final

import click

from app import logs
from app.cli.graphql_client import GraphqlClient
from app.cli.options import Duration
from app.cli.rotation_progress import callers_left, named
from app.cli.rotation_runner import Outcome, RotationRequest, RotationResult, RotationRunner
from app.cli.runner import Result, emit, with_json
from app.clock import MINUTE, SECOND
from app.keys.secret import PATTERN
from app.rotations.rotation import OnDeadline
from app.rotations.validation import DEFAULT_QUIET_SECONDS

EXIT_CODES: Final = {Outcome.COMPLETED: 0, Outcome.LEFT_OPEN: 3, Outcome.CANCELLED: 4}
_ON_DEADLINE: Final = {"keep": OnDeadline.KEEP_AND_ALERT, "revoke": OnDeadline.REVOKE}
# In addition to the quiet period, which must pass in any case.
_WAIT: Final = 30 * MINUTE


@with_json
@click.command("rotate")
@click.argument("key", metavar="KEY")
@click.option("--workspace", metavar="SLUG", help="The workspace the key must be in; a management key knows one only.")
@click.option("--deploy", "command", required=True, metavar="COMMAND", help="Gets the new secret as one line on its stdin.")
@click.option("--deadline", type=Duration("hd"), metavar="7d", help="When the run must be over, 7d if left out; 30d at most.")
@click.option(
    "--on-deadline",
    type=click.Choice([*_ON_DEADLINE]),
    default="keep",
    show_default=True,
    help="At the deadline, keep both keys or revoke the old one.",
)
@click.option("--quiet", type=Duration("smhd"), metavar="1h", help="How long the old key must have been silent, 1h if left out.")
@click.option(
    "--wait", type=Duration("smhd"), metavar="2h", help="The most that all of this may take, else the quiet period and 30m."
)
@click.option("--poll", type=Duration("smhd"), metavar="2s", default="2s", show_default=True, help="How often to look.")
@click.option("--force-complete", "force", is_flag=True, help="When the time is up, revoke a key that is still used, too.")
def rotate(
    key: str,
    workspace: str | None,
    command: str,
    deadline: int | None,
    on_deadline: str,
    quiet: int | None,
    wait: int | None,
    poll: int,
    force: bool,
    as_json: bool,
) -> None:
    """Replace an API key, finished on evidence.

    Revokes the key KEY, an id or a name, when nobody needs it anymore. Needs KEYDESK_SERVER and KEYDESK_MANAGEMENT_KEY, and no
    database. The new secret goes to the command's stdin, nowhere else. Killed and run again, it goes on. Exit code 0: completed;
    3: not ready in time, both keys work; 4: cancelled, the old key works.
    """
    if PATTERN.search(key):
        raise click.UsageError(
            "Name the key by its id or its name. Its secret is now in this machine's list of processes: replace it."
        )
    if poll < SECOND:
        raise click.BadParameter("at least 1s.", param_hint="--poll")
    longest = wait if wait is not None else _WAIT + (DEFAULT_QUIET_SECONDS * SECOND if quiet is None else quiet)
    request = RotationRequest(
        key=key,
        workspace=workspace,
        command=command,
        deadline=deadline,
        on_deadline=_ON_DEADLINE[on_deadline],
        quiet_seconds=None if quiet is None else quiet // SECOND,
        wait_seconds=longest / SECOND,
        poll_seconds=poll / SECOND,
        force=force,
    )
    emit(_result(asyncio.run(_run(GraphqlClient.of(os.environ), request))), as_json)


async def _run(remote: GraphqlClient, request: RotationRequest) -> RotationResult:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    return await RotationRunner(remote, request, _tell, stop).run()


def _tell(text: str) -> None:
    click.echo(logs.redacted(text), err=True)


def _result(result: RotationResult) -> Result:
    run = result.run
    data = {
        "outcome": result.outcome,
        "reason": result.reason,
        "rotation": run["id"],
        "state": run["state"],
        "resumed": result.resumed,
        "deadline": run["deadline"],
        "predecessor": _key(run["predecessor"]),
        "successor": _key(run["successor"]),
        "left": [{name: caller[name] for name in ("network", "userAgent", "lastSeenAt")} for caller in callers_left(run)],
    }
    return Result(data, (_line(result),), exit_code=EXIT_CODES[result.outcome])


def _key(key: dict[str, Any]) -> dict[str, Any]:
    return {"id": key["id"], "prefix": key["prefix"]}


def _line(result: RotationResult) -> str:
    run, old, new = result.run, result.run["predecessor"]["id"], result.run["successor"]["id"]
    match result.outcome:
        case Outcome.COMPLETED:
            return f"{run['id']} is completed: {new} works, {old} is revoked."
        case Outcome.CANCELLED:
            return f"{run['id']} is cancelled: {old} works as before, {new} is revoked. {result.reason}"
        case Outcome.LEFT_OPEN:
            left = ", ".join(named(caller) for caller in callers_left(run)) or "no known caller"
            return (
                f"{run['id']} is left open, its deadline is {run['deadline']}: {old} and {new} work. {result.reason}"
                f" Still on the old key: {left}. Run this again to continue, or end the rotation in the dashboard."
            )
