"""A rotation from start to end, by a program that may be killed at any moment and run again.

What is under way is never kept here but asked for: the same request with the same idempotency key gives the same run.
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
from app.cli.handing import hand_over
from app.cli.remote import Declined, Remote, Unanswered
from app.cli.watching import Run, Watch
from app.clock import rfc3339

# How long a question is asked again before its run is given up; a server that is restarted is back by then.
PATIENCE_SECONDS: Final = 30.0
_PAGE: Final = 50
_CONFLICT: Final = "CONFLICT"
_OVER: Final = ("COMPLETED", "CANCELLED")
_TAKEN_OVER: Final = (
    "Another process has gone on with this rotation: the key that the command got here is revoked, and another took its place."
    " Only one job at a time can rotate a key."
)


class Outcome(StrEnum):
    """LEFT_OPEN: both keys work, and somebody has to end it."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    LEFT_OPEN = "LEFT_OPEN"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says. `deadline` is a period in microseconds, None the server's default; so is `quiet_seconds`."""

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
class Ended:
    """`run` as it stands, `reason` why it is not completed, `resumed`: an earlier process began it and the key was in use."""

    outcome: Outcome
    run: Run
    reason: str | None
    resumed: bool


class Rotating:
    """One process's part in a rotation. `tell` gets a line for people; `stop` is set by a signal."""

    def __init__(self, remote: Remote, asked: Asked, tell: Callable[[str], None], stop: asyncio.Event) -> None:
        self._remote, self._asked, self._tell, self._stop = remote, asked, tell, stop
        self._until = time.monotonic() + asked.wait_seconds
        self._watch = Watch(tell)

    async def run(self) -> Ended:
        """Raises Unanswered and Declined; what was begun by then is named."""
        begun = await self._begin()
        run, secret = begun["rotation"], begun["secret"]
        resumed = secret is None
        try:
            reason = await self._deploy(run, secret) if secret is not None else None
            if reason is None:
                run, reason = await self._completed(run)
            if reason is not None:
                run = await self._given_up(run, reason)
        except (Unanswered, Declined) as error:
            error.message += f" The rotation {run['id']} was begun; run this again to go on with it."
            raise
        return _ended(run, reason, resumed)

    async def _begin(self) -> Any:
        """The run: a new one, or that of an earlier process that was not cancelled."""
        key_id = self._asked.key if ids.is_a(ids.API_KEY, self._asked.key) else await self._named()
        terms = self._terms(key_id, *await self._before(key_id))
        begun = await self._ask("start", **terms)
        if begun["retryAfter"] is not None:
            # An answer told the secret, and this process is the one that needs it: nobody else reads that answer any more.
            begun = await self._ask("start", **terms, replaceUnused=True)
        run = begun["rotation"]
        if begun["secret"] is not None:
            self._tell(f"The rotation {run['id']} is begun: {_key(run['successor'])} is to replace {_key(run['predecessor'])}.")
        elif run["state"] not in _OVER:
            self._tell(f"The rotation {run['id']} goes on; its new key is in use, so the command is not run again.")
        return begun

    def _terms(self, key_id: str, mine: Run | None, cancelled: str | None) -> dict[str, Any]:
        """The same for every process until the run is over; a run after a cancelled one is another."""
        terms: dict[str, Any] = {"id": key_id, "onDeadline": self._asked.on_deadline}
        if self._asked.quiet_seconds is not None:
            terms["quietPeriodSeconds"] = self._asked.quiet_seconds
        if self._asked.deadline is not None:
            terms["deadline"] = mine["deadline"] if mine else rfc3339(time.time_ns() // 1000 + self._asked.deadline)
        return terms | {"idempotencyKey": f"keydesk rotate {key_id} after {cancelled or 'none'}"}

    async def _named(self) -> str:
        """The living key of this name; of the two keys of an open run it is the old one."""
        successors = {run["successor"]["id"] async for run in self._runs(open_only=True)}
        asked = {"search": self._asked.key, "status": ["ACTIVE", "SUSPENDED"]}
        found = [key async for key in self._pages("keys/list", "apiKeys", filter=asked) if key["name"] == self._asked.key]
        left = [key["id"] for key in found if key["id"] not in successors]
        if len(left) != 1:
            raise Declined(_not_one(self._asked.key, left))
        return str(left[0])

    async def _before(self, key_id: str) -> tuple[Run | None, str | None]:
        """The key's run that is open or was completed, and the last one that was cancelled."""
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
            given = {"workspace": self._asked.workspace, "first": _PAGE, "after": after, **variables}
            workspace = await self._patiently(partial(self._remote.run, operation, given))
            if workspace is None:
                raise Declined(f"There is no workspace {self._asked.workspace!r} for this management key.")
            for node in workspace[field]["nodes"]:
                yield node
            if not workspace[field]["pageInfo"]["hasNextPage"]:
                return
            after = workspace[field]["pageInfo"]["endCursor"]

    async def _deploy(self, run: Run, secret: str) -> str | None:
        """Why it did not work, if it did not."""
        if self._stop.is_set():
            return self._why_now()
        code = await hand_over(secret, self._asked.command, self._stop, self._until - time.monotonic())
        if code is None:
            return self._why_now()
        return f"The command failed with exit code {code}." if code else None

    async def _completed(self, run: Run) -> tuple[Run, str | None]:
        """The run when it is over, or as it stands and why no more time is given to it."""
        while True:
            try:
                run = await self._seen(run, self._until - time.monotonic())
            except Unanswered:
                return run, self._why_now()
            if run["state"] == "READY" or (self._asked.force and self._time_is_up() and run["successor"]["lastUsedAt"]):
                run = await self._try_to_complete(run)
            if run["state"] in _OVER:
                return run, None
            if self._stop.is_set() or self._time_is_up():
                return run, self._why_now()
            await self._pause()

    async def _try_to_complete(self, run: Run) -> Run:
        force = run["state"] != "READY"
        try:
            return run | {"state": (await self._ask("complete", id=run["id"], force=force))["rotation"]["state"]}
        except Declined as error:
            # Somebody used the old key between, or ended the run; the next look tells.
            if error.code not in ("ROTATION_NOT_READY", _CONFLICT):
                raise
            return run

    async def _given_up(self, run: Run, reason: str) -> Run:
        """Cancelled if nobody has used the new key, which the server decides; else left as it is."""
        self._tell(reason)
        run = await self._seen(run, PATIENCE_SECONDS)
        try:
            return run | {"state": (await self._ask("cancel", id=run["id"]))["rotation"]["state"]}
        except Declined as error:
            if error.code != _CONFLICT:
                raise
        return await self._seen(run, PATIENCE_SECONDS)

    async def _seen(self, run: Run, patience: float) -> Run:
        """The run as it stands, its changes told. Raises Declined if another process has put another new key into it."""
        found = await self._patiently(partial(self._remote.run, "rotations/show", {"id": run["id"]}), patience)
        if found is None:
            raise Declined("The rotation is gone.")
        if found["successor"]["id"] != run["successor"]["id"]:
            raise Declined(_TAKEN_OVER)
        self._watch.see(found)
        return dict(found)

    async def _ask(self, verb: str, **given: Any) -> Any:
        return await self._patiently(partial(self._remote.change, f"rotations/{verb}", **given))

    async def _patiently(self, question: Callable[[], Any], patience: float = PATIENCE_SECONDS) -> Any:
        """Asked again while there is no answer. Every question here may be: what was done already is answered the same."""
        until, told = time.monotonic() + patience, False
        while True:
            try:
                return await asyncio.to_thread(question)
            except Unanswered as error:
                if time.monotonic() >= until or (self._stop.is_set() and told):
                    raise
                if not told:
                    self._tell(f"{error.message} Trying again.")
                told = True
            await self._pause()

    async def _pause(self) -> None:
        """Until a signal comes, else for the time of a poll; after a signal too, so that nobody is asked without a pause."""
        if self._stop.is_set():
            await asyncio.sleep(self._asked.poll_seconds)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), self._asked.poll_seconds)

    def _time_is_up(self) -> bool:
        return time.monotonic() >= self._until

    def _why_now(self) -> str:
        return "A signal came." if self._stop.is_set() else "The time is up."


def _ended(run: Run, reason: str | None, resumed: bool) -> Ended:
    outcome = Outcome(run["state"]) if run["state"] in _OVER else Outcome.LEFT_OPEN
    if outcome is Outcome.COMPLETED:
        reason = None
    elif reason is None:
        reason = "Somebody else cancelled it, or its new key is over."
    return Ended(outcome, run, reason, resumed)


def _not_one(name: str, found: list[str]) -> str:
    if not found:
        return f"There is no living API key called {name!r}."
    return f"{len(found)} API keys are called {name!r}. Name one by its id: {', '.join(found)}."


def _key(key: dict[str, Any]) -> str:
    return f"{key['id']} ({key['prefix']}…)"
