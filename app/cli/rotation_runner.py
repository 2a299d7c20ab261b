"""Runs a rotation from start to end, in a process that may be killed at any moment and run again.

No state is kept here: the same request with the same idempotency key returns the same rotation.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from app import ids
from app.cli.deploy_command import hand_over
from app.cli.graphql_client import Declined, GraphqlClient, Unanswered
from app.cli.rotation_progress import ProgressPrinter, Run
from app.clock import rfc3339
from app.keys.key import API_KEY_ID

# How long a request is retried before the rotation is given up; a restarted server is back by then.
RETRY_SECONDS: Final = 30.0
_PAGE: Final = 50
_CONFLICT: Final = "CONFLICT"
_OVER: Final = ("COMPLETED", "CANCELLED")
_TAKEN_OVER: Final = (
    "Another process has gone on with this rotation: the key that the command got here is revoked, and another took its place."
    " Only one job at a time can rotate a key."
)


class Outcome(StrEnum):
    """How a run ended. LEFT_OPEN: both keys work, and someone has to complete or cancel the rotation."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    LEFT_OPEN = "LEFT_OPEN"


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """The command line's options. `deadline` is in microseconds; None in it or in `quiet_seconds` means the server's default."""

    key: str
    workspace: str | None
    command: str
    deadline: int | None
    on_deadline: str
    quiet_seconds: int | None
    wait_seconds: float
    poll_seconds: float
    force: bool


@dataclass(frozen=True, slots=True)
class RotationResult:
    """`run`: the rotation's last known state; `reason`: why it is not completed; `resumed`: an earlier process started it and
    the key was in use."""

    outcome: Outcome
    run: Run
    reason: str | None
    resumed: bool


class RotationRunner:
    """One process's work on a rotation. `tell` prints a line for people; a signal sets `stop`."""

    def __init__(self, remote: GraphqlClient, request: RotationRequest, tell: Callable[[str], None], stop: asyncio.Event) -> None:
        self._remote, self._request, self._tell, self._stop = remote, request, tell, stop
        self._until = time.monotonic() + request.wait_seconds
        self._printer = ProgressPrinter(tell)

    async def run(self) -> RotationResult:
        """Raises Unanswered and Declined; the message names the rotation if one was started."""
        started = await self._start()
        run, secret = started["rotation"], started["secret"]
        resumed = secret is None
        try:
            reason = await self._deploy(run, secret) if secret is not None else None
            if reason is None:
                run, reason = await self._wait_until_completed(run)
            if reason is not None:
                run = await self._cancel_or_leave_open(run, reason)
        except (Unanswered, Declined) as error:
            error.message += f" The rotation {run['id']} was begun; run this again to continue it."
            raise
        return _result_of(run, reason, resumed)

    async def _start(self) -> Any:
        """A new rotation, or the one that an earlier process started and nobody cancelled."""
        key_id = self._request.key if ids.is_a(API_KEY_ID, self._request.key) else await self._find_by_name()
        variables = self._start_variables(key_id, *await self._earlier_rotations(key_id))
        started = await self._change("start", **variables)
        if started["retryAfter"] is not None:
            # An earlier answer contained the secret, which this process needs: nobody else reads that answer any more.
            started = await self._change("start", **variables, replaceUnused=True)
        run = started["rotation"]
        if started["secret"] is not None:
            self._tell(f"The rotation {run['id']} is begun: {_label(run['successor'])} is to replace {_label(run['predecessor'])}.")
        elif run["state"] not in _OVER:
            self._tell(f"The rotation {run['id']} goes on; its new key is in use, so the command is not run again.")
        return started

    def _start_variables(self, key_id: str, mine: Run | None, cancelled: str | None) -> dict[str, Any]:
        """The same for every process until the rotation ends; after a cancelled one, a new rotation starts."""
        variables: dict[str, Any] = {"id": key_id, "onDeadline": self._request.on_deadline}
        if self._request.quiet_seconds is not None:
            variables["quietPeriodSeconds"] = self._request.quiet_seconds
        if self._request.deadline is not None:
            variables["deadline"] = mine["deadline"] if mine else rfc3339(time.time_ns() // 1000 + self._request.deadline)
        return variables | {"idempotencyKey": f"keydesk rotate {key_id} after {cancelled or 'none'}"}

    async def _find_by_name(self) -> str:
        """The live key with this name; of the two keys of an open rotation, the old one."""
        successors = {run["successor"]["id"] async for run in self._runs(open_only=True)}
        filter = {"search": self._request.key, "status": ["ACTIVE", "SUSPENDED"]}
        found = [key async for key in self._pages("keys/list", "apiKeys", filter=filter) if key["name"] == self._request.key]
        left = [key["id"] for key in found if key["id"] not in successors]
        if len(left) != 1:
            raise Declined(_no_single_key(self._request.key, left))
        return str(left[0])

    async def _earlier_rotations(self, key_id: str) -> tuple[Run | None, str | None]:
        """The key's open or completed rotation, and the last cancelled one."""
        mine = None
        async for run in self._runs(open_only=False):
            if run["predecessor"]["id"] == key_id:
                if run["state"] == "CANCELLED":
                    return mine, str(run["id"])
                mine = run
        return mine, None

    def _runs(self, *, open_only: bool) -> AsyncIterator[Run]:
        return self._pages("rotations/list", "rotations", openOnly=open_only)

    async def _pages(self, operation: str, field: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        after = None
        while True:
            page = {"workspace": self._request.workspace, "first": _PAGE, "after": after, **variables}
            workspace = await self._with_retries(partial(self._remote.run, operation, page))
            if workspace is None:
                raise Declined(f"There is no workspace {self._request.workspace!r} for this management key.")
            for node in workspace[field]["nodes"]:
                yield node
            if not workspace[field]["pageInfo"]["hasNextPage"]:
                return
            after = workspace[field]["pageInfo"]["endCursor"]

    async def _deploy(self, run: Run, secret: str) -> str | None:
        """Runs the command; returns why it failed, or None."""
        if self._stop.is_set():
            return self._why_stopped()
        code = await hand_over(secret, self._request.command, self._stop, self._until - time.monotonic())
        if code is None:
            return self._why_stopped()
        return f"The command failed with exit code {code}." if code else None

    async def _wait_until_completed(self, run: Run) -> tuple[Run, str | None]:
        """The ended rotation, or its current state and why waiting for it stops."""
        while True:
            try:
                run = await self._read_progress(run, self._until - time.monotonic())
            except Unanswered:
                return run, self._why_stopped()
            if run["state"] == "READY" or (self._request.force and self._time_is_up() and run["successor"]["lastUsedAt"]):
                run = await self._try_to_complete(run)
            if run["state"] in _OVER:
                return run, None
            if self._stop.is_set() or self._time_is_up():
                return run, self._why_stopped()
            await self._pause()

    async def _try_to_complete(self, run: Run) -> Run:
        force = run["state"] != "READY"
        try:
            return run | {"state": (await self._change("complete", id=run["id"], force=force))["rotation"]["state"]}
        except Declined as error:
            # Someone used the old key meanwhile, or ended the rotation; the next poll shows which.
            if error.code not in ("ROTATION_NOT_READY", _CONFLICT):
                raise
            return run

    async def _cancel_or_leave_open(self, run: Run, reason: str) -> Run:
        """Cancels the rotation if nobody has used the new key, which the server decides; else leaves it open."""
        self._tell(reason)
        run = await self._read_progress(run, RETRY_SECONDS)
        try:
            return run | {"state": (await self._change("cancel", id=run["id"]))["rotation"]["state"]}
        except Declined as error:
            if error.code != _CONFLICT:
                raise
        return await self._read_progress(run, RETRY_SECONDS)

    async def _read_progress(self, run: Run, patience_seconds: float) -> Run:
        """Reads the rotation and prints its changes. Raises Declined if another process has replaced its new key."""
        found = await self._with_retries(partial(self._remote.run, "rotations/show", {"id": run["id"]}), patience_seconds)
        if found is None:
            raise Declined("The rotation is gone.")
        if found["successor"]["id"] != run["successor"]["id"]:
            raise Declined(_TAKEN_OVER)
        self._printer.see(found)
        return dict(found)

    async def _change(self, verb: str, **variables: Any) -> Any:
        return await self._with_retries(partial(self._remote.change, f"rotations/{verb}", **variables))

    async def _with_retries(self, request_once: Callable[[], Any], patience_seconds: float = RETRY_SECONDS) -> Any:
        """Retries while there is no answer. Every request here is idempotent: a repeat returns the same answer."""
        until, has_reported = time.monotonic() + patience_seconds, False
        while True:
            try:
                return await asyncio.to_thread(request_once)
            except Unanswered as error:
                if time.monotonic() >= until or (self._stop.is_set() and has_reported):
                    raise
                if not has_reported:
                    self._tell(f"{error.message} Trying again.")
                has_reported = True
            await self._pause()

    async def _pause(self) -> None:
        """Waits for a poll interval or a signal; after a signal for the interval, so that there is a pause between all polls."""
        if self._stop.is_set():
            await asyncio.sleep(self._request.poll_seconds)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._request.poll_seconds)

    def _time_is_up(self) -> bool:
        return time.monotonic() >= self._until

    def _why_stopped(self) -> str:
        return "A signal was received." if self._stop.is_set() else "The time is up."


def _result_of(run: Run, reason: str | None, resumed: bool) -> RotationResult:
    outcome = Outcome(run["state"]) if run["state"] in _OVER else Outcome.LEFT_OPEN
    if outcome is Outcome.COMPLETED:
        reason = None
    elif reason is None:
        reason = "Someone else cancelled it, or its new key is over."
    return RotationResult(outcome, run, reason, resumed)


def _no_single_key(name: str, found: list[str]) -> str:
    if not found:
        return f"There is no living API key called {name!r}."
    return f"{len(found)} API keys are called {name!r}. Name one by its id: {', '.join(found)}."


def _label(key: dict[str, Any]) -> str:
    return f"{key['id']} ({key['prefix']}…)"
