"""Reading and counting in groups: requests that arrive while a round trip is under way form the next batch.

A batch is one read and, if anything is to be counted, one write; its requests are answered after the commit. A batch
whose commit is not known to have succeeded is never tried again: its requests are Unavailable, counted once or not at all.
"""

from __future__ import annotations

import asyncio
import bisect
import collections
import contextlib
import contextvars
import hmac
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

from app import database, metrics
from app.database.hot import Hot
from app.errors import KeydeskError, NotAuthenticated, Unavailable
from app.peppers.pepper import Peppers
from app.usage.counting import DOOR, Tally
from app.verification import store
from app.verification.digest import digesters
from app.verification.verify import Asked, Code, Gateway, HeldKey, Verdict, judge

LARGEST: Final = 64
MOST_WAITING: Final = 2_000
# A question waits so long at most for its batch to begin and as long again for it to end: it is answered within a second.
PATIENCE_SECONDS: Final = 0.4
PROBE_SECONDS: Final = 5.0
FORGIVEN_SECONDS: Final = 10.0
_TOLD: Final = {code: metrics.VERIFICATIONS.labels(code.value) for code in Code}
_NO_GATEWAY: Final = "The gateway token is unknown or revoked."
_log = logging.getLogger("keydesk.verification")


@dataclass(slots=True, eq=False, repr=False)
class Question:
    """One verification: `secret` is None for text that is not a key at all, which is never looked up."""

    token: str
    secret: str | None
    asked: Asked
    follows: bool
    since: float
    answer: asyncio.Future[Verdict]
    digests: tuple[bytes, ...] = ()


class Batches:
    """Questions in, verdicts out. `tokens` are the gateway tokens of the settings."""

    def __init__(self, hot: Hot, peppers: Peppers, tokens: tuple[str, ...]) -> None:
        self._hot, self._digesters, self._pepper_version = hot, digesters(peppers), peppers.current.version
        self._configured = [(peppers.current.digest(token), _configured_gateway(token, peppers)) for token in tokens]
        # Kept, because Python 3.11 asks the system for the process id whenever it looks for the running loop.
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Question] = []
        self._running: set[asyncio.Task[None] | None] = set()
        self._afterwards: set[asyncio.Task[None]] = set()
        # Batches that could not be decided since one was counted, and when the last of them failed.
        self._failures, self._failed_at = 0, 0.0
        self._probed_at = float("-inf")
        self._probe_fault: str | None = None

    def ask(self, token: str, secret: str | None, asked: Asked, *, follows: bool) -> asyncio.Future[Verdict]:
        """The verdict to come. Raises, now or in it, Unavailable when nothing is known, and in it NotAuthenticated for a
        gateway token that is unknown or revoked."""
        if len(self._waiting) >= MOST_WAITING:
            metrics.UNANSWERED.inc()
            raise Unavailable(internal="too many verifications are waiting")
        question = Question(token, secret, asked, follows, self._loop.time(), self._loop.create_future())
        self._waiting.append(question)
        self._start()
        return question.answer

    async def authenticate(self, token: str) -> Gateway:
        """The gateway of a token, read now. Raises NotAuthenticated, Unavailable."""
        digests = self._digests(token)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await store.read(self._hot, [], list(digests))
        except TimeoutError:
            raise Unavailable(internal="a gateway token could not be read in time") from None
        gateway = self._gateway(digests, found)
        if gateway is None:
            raise NotAuthenticated(_NO_GATEWAY)
        return gateway

    async def close(self) -> None:
        """Waits for what is under way."""
        while tasks := {task for task in self._running | self._afterwards if task is not None}:
            await asyncio.wait(tasks)

    def _start(self) -> None:
        if len(self._running) < self._hot.batches:
            # A task of its own with nothing inherited: whoever hangs up cancels only the waiting, never the batch.
            task = self._loop.create_task(self._work(), context=contextvars.Context())
            self._running.add(task)

    async def _work(self) -> None:
        # Once around the loop first: requests that arrived together belong together.
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            await self._answer(batch)
        # Here and not in a callback of the task: a question that came in between would wait for a worker that has ended.
        self._running.discard(asyncio.current_task())

    async def _answer(self, batch: list[Question]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                verdicts = await self._decide(batch)
        except (TimeoutError, Unavailable) as error:
            reason = getattr(error, "internal", None) or "the batch took too long"
            batch = batch + self._take_late()
            self._failures, self._failed_at = self._failures + 1, self._loop.time()
            _log.warning("a batch of %d could not be counted: %s", len(batch), reason)
            verdicts = [(question, Unavailable(internal=reason)) for question in batch]
        except Exception as error:
            _log.exception("a batch failed")
            verdicts = [(question, Unavailable(internal=repr(error))) for question in batch]
        _measure(verdicts)
        for question, verdict in verdicts:
            _settle(question, verdict)
            self._renew(question, verdict)

    def _take_late(self) -> list[Question]:
        """Who has waited as long for their turn as a batch may take: the database is behind, and they are told so too."""
        count = bisect.bisect_left(self._waiting, self._loop.time() - PATIENCE_SECONDS, key=lambda question: question.since)
        late, self._waiting = self._waiting[:count], self._waiting[count:]
        return late

    async def _decide(self, batch: list[Question]) -> list[tuple[Question, Verdict | KeydeskError]]:
        tokens = {token: self._digests(token) for token in {question.token for question in batch}}
        found = await self._read(batch, tokens)
        gateways = {token: self._gateway(digests, found) for token, digests in tokens.items()}
        self._renew_gateways(gateways, tokens)
        now, tally, verdicts = found.now or 0, Tally(), []
        for question in batch:
            verdict = _judge(question, gateways[question.token], found.keys, now)
            verdicts.append((question, verdict))
            if isinstance(verdict, Verdict) and verdict.key is not None:
                _count(tally, question, verdict, verdict.key, now)
        if upserts := tally.upserts():
            await self._hot.write(upserts)
            self._failures = 0
        return verdicts

    async def fault(self) -> str | None:
        """What keeps verifications from being answered, in a word or two; None if nothing is known to.

        Two batches that could not be decided are a fault until one is counted, or none was tried for a while. Beside them
        a read and a small write are tried, at most every PROBE_SECONDS: a node may be asked for nothing, and be asked again
        only once it is ready.
        """
        now = self._loop.time()
        if now - self._probed_at >= PROBE_SECONDS or self._probe_fault:
            self._probed_at, self._probe_fault = now, await self._probe()
        if self._probe_fault is None and self._failures >= 2 and now - self._failed_at < FORGIVEN_SECONDS:
            return "verifications cannot be counted"
        return self._probe_fault

    async def _probe(self) -> str | None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await store.probe(self._hot)
        except (TimeoutError, Unavailable) as failure:
            _log.warning("not ready: %s", getattr(failure, "internal", None) or "the database cannot be written in time")
            return "cannot be written"
        return None

    async def _read(self, batch: list[Question], tokens: dict[str, tuple[bytes, ...]]) -> store.Found:
        wanted: dict[bytes, None] = {}
        for question in batch:
            if question.secret is not None:
                question.digests = self._digests(question.secret)
                wanted.update(dict.fromkeys(question.digests))
        return await store.read(self._hot, list(wanted), [digest for digests in tokens.values() for digest in digests])

    def _digests(self, secret: str) -> tuple[bytes, ...]:
        return tuple([digester.digest(secret) for digester in self._digesters])

    def _gateway(self, digests: tuple[bytes, ...], found: store.Found) -> Gateway | None:
        for digest in digests:
            for configured, gateway in self._configured:
                if hmac.compare_digest(digest, configured):
                    return gateway
            if digest in found.gateways:
                return found.gateways[digest]
        return None

    def _renew(self, question: Question, verdict: Verdict | KeydeskError) -> None:
        """A key that was good and still lies under the previous pepper moves to the current one, after its answer."""
        if not isinstance(verdict, Verdict) or verdict.key is None or not verdict.valid:
            return
        if verdict.key.pepper_version < self._pepper_version:
            self._later(store.redigest_key(verdict.key.id, question.digests[0], self._pepper_version))

    def _renew_gateways(self, gateways: dict[str, Gateway | None], tokens: dict[str, tuple[bytes, ...]]) -> None:
        """The same for the tokens that asked."""
        for token, gateway in gateways.items():
            if gateway and gateway.pepper_version is not None and gateway.pepper_version < self._pepper_version:
                self._later(store.redigest_gateway_token(gateway.id, tokens[token][0], self._pepper_version))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(_in_transaction(work), context=contextvars.Context())
        self._afterwards.add(task)
        task.add_done_callback(self._afterwards.discard)


async def _in_transaction(work: Coroutine[Any, Any, None]) -> None:
    # A failure costs nothing: the next verification tries again.
    with contextlib.suppress(Unavailable), contextlib.closing(work):
        async with database.transaction():
            await work


def _judge(question: Question, gateway: Gateway | None, keys: dict[bytes, HeldKey], now: int) -> Verdict | KeydeskError:
    if gateway is None:
        return NotAuthenticated(_NO_GATEWAY)
    if question.secret is None:
        return Verdict(Code.MALFORMED)
    for digest in question.digests:
        if digest in keys:
            return judge(question.asked, keys[digest], gateway, now)
    return judge(question.asked, None, gateway, now)


def _count(tally: Tally, question: Question, verdict: Verdict, key: HeldKey, now: int) -> None:
    """Allowed with an outcome to follow: the report will count it. Everything else about a known key counts now."""
    asked, counted = question.asked, not (verdict.valid and question.follows)
    if counted:
        tally.count(key.id, now, asked.permission, verdict.code.value)
    if verdict.shows_use:
        tally.use(key.id, now, asked.address)
        who = DOOR.admit(key.id, now, asked.address, asked.user_agent)
        tally.meet(key.id, who, asked.permission, now, now, 1 if counted else 0)


def _measure(verdicts: list[tuple[Question, Verdict | KeydeskError]]) -> None:
    """Once per batch and code: a counter of its own for every request would cost as much as judging it."""
    metrics.BATCH.observe(len(verdicts))
    codes = collections.Counter(verdict.code if isinstance(verdict, Verdict) else None for _, verdict in verdicts)
    for code, count in codes.items():
        if code is not None:
            _TOLD[code].inc(count)
    metrics.UNANSWERED.inc(sum(isinstance(verdict, Unavailable) for _, verdict in verdicts))


def _settle(question: Question, verdict: Verdict | KeydeskError) -> None:
    if question.answer.done():
        return
    if isinstance(verdict, Verdict):
        question.answer.set_result(verdict)
    else:
        question.answer.set_exception(verdict)


def _configured_gateway(token: str, peppers: Peppers) -> Gateway:
    """Tokens of the settings have no row; their id is made of their keyed digest, so that usage batches find it again.

    Of the older pepper while there are two: a batch that is sent again meanwhile must be known.
    """
    oldest = min(peppers.all, key=lambda pepper: pepper.version)
    return Gateway("gtk_" + oldest.digest(token).hex()[:20])
