"""Reads and counts in batches: requests that arrive during a round trip form the next batch.

A batch is one read and, if anything is to be counted, one row appended to the usage log; its requests are answered after the
commit. A batch with an unknown commit result is never retried: its requests are Unavailable, and are counted once or not at
all.
"""

from __future__ import annotations

import asyncio
import bisect
import collections
import contextlib
import contextvars
import hmac
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import msgspec

from app import database, metrics
from app.clock import hour_of
from app.errors import KeydeskError, NotAuthenticated, Unavailable
from app.gateway_tokens import store as token_store
from app.keys import importing
from app.keys import store as key_store
from app.keys.foreign import ForeignSecret, keyed_digests
from app.peppers.pepper import Peppers
from app.usage.counters import CALLER_LIMITER, REFUSED_LIMITER, Use
from app.usage.log import UsageLog
from app.usage.usage import USES
from app.verification import store
from app.verification.digest import digesters
from app.verification.refusing_rule import refusing_rule
from app.verification.verdict import AccessRequest, Code, Gateway, KeyRecord, Verdict, evaluate, strictest

LARGEST: Final = 64
MOST_WAITING: Final = 2_000
# The longest time a request waits for its batch to begin, and again for it to end: it is answered within a second.
PATIENCE_SECONDS: Final = 0.4
PROBE_SECONDS: Final = 5.0
FORGIVEN_SECONDS: Final = 10.0
_COUNTED: Final = {code: metrics.VERIFICATIONS.labels(code.value) for code in Code}
# A key that asks about itself: nothing is withheld from it.
ITSELF: Final = Gateway("self")
_NO_GATEWAY: Final = "The gateway token is unknown or revoked."
_log = logging.getLogger("keydesk.verification")


class PendingVerification(msgspec.Struct, eq=False):
    """One verification: `token` is None for a key that asks about itself; `secret` is None for text that is not a well-formed key,
    which is never looked up. A ForeignSecret is looked up only if keys were imported."""

    token: str | None
    secret: str | None
    asked: AccessRequest
    follows: bool
    request_id: str
    since: float
    answer: asyncio.Future[Verdict]
    digests: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"<verification of {self.asked}>"


class Batches:
    """Collects requests into batches and returns verdicts. `tokens` are the gateway tokens of the settings."""

    def __init__(self, log: UsageLog, peppers: Peppers, tokens: tuple[str, ...]) -> None:
        self._log, self._hot = log, log.hot
        self._peppers, self._digesters, self._pepper_version = peppers, digesters(peppers), peppers.current.version
        self._is_pepper_changing = len(peppers.all) > 1
        self._configured = [(peppers.current.digest(token), _configured_gateway(token, peppers)) for token in tokens]
        # Cached, because Python 3.11 makes a system call whenever it looks up the running loop.
        self._loop = asyncio.get_running_loop()
        self._waiting: list[PendingVerification] = []
        self._running: set[asyncio.Task[None] | None] = set()
        self._afterwards: set[asyncio.Task[None]] = set()
        # The number of failed batches since the last success, and when the last one failed.
        self._failures, self._failed_at = 0, 0.0
        self._probed_at = float("-inf")
        self._probe_fault: str | None = None

    def ask(
        self, token: str | None, secret: str | None, asked: AccessRequest, *, follows: bool, request_id: str
    ) -> asyncio.Future[Verdict]:
        """A future of the verdict; `token` None: a key asks about itself. Raises Unavailable, now or in the future, if the
        database cannot answer, and in the future NotAuthenticated for an unknown or revoked gateway token."""
        if len(self._waiting) >= MOST_WAITING:
            metrics.UNANSWERED.inc()
            raise Unavailable(internal="too many verifications are waiting")
        question = PendingVerification(token, secret, asked, follows, request_id, self._loop.time(), self._loop.create_future())
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
        """Waits for running batches."""
        while tasks := {task for task in self._running | self._afterwards if task is not None}:
            await asyncio.wait(tasks)

    def _start(self) -> None:
        if len(self._running) < self._hot.batches:
            # A separate task with an empty context: a client that disconnects cancels only the waiting, never the batch.
            task = self._loop.create_task(self._work(), context=contextvars.Context())
            self._running.add(task)

    async def _work(self) -> None:
        # One iteration of the loop first, so that requests that arrived together form one batch.
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
            await self._answer(batch)
        # Here, not in a callback of the task: a request that came in between would wait for a worker that has ended.
        self._running.discard(asyncio.current_task())

    async def _answer(self, batch: list[PendingVerification]) -> None:
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
            if self._is_pepper_changing or type(question.secret) is ForeignSecret:
                self._renew(question, verdict)

    def _take_late(self) -> list[PendingVerification]:
        """Requests that have waited as long as a batch may take: the database is too slow, so they are Unavailable."""
        count = bisect.bisect_left(self._waiting, self._loop.time() - PATIENCE_SECONDS, key=lambda question: question.since)
        late, self._waiting = self._waiting[:count], self._waiting[count:]
        return late

    async def _decide(self, batch: list[PendingVerification]) -> list[tuple[PendingVerification, Verdict | KeydeskError]]:
        tokens = {token: self._digests(token) for token in {question.token for question in batch} if token is not None}
        found = await self._read(batch, tokens)
        known = {token: self._gateway(digests, found) for token, digests in tokens.items()}
        self._renew_gateways(known, tokens)
        gateways: Mapping[str | None, Gateway | None] = known | {None: ITSELF}
        now, uses, verdicts = found.now or 0, [], []
        for question in batch:
            verdict = _evaluate(question, gateways[question.token], found, now)
            verdicts.append((question, verdict))
            if isinstance(verdict, Verdict) and verdict.key is not None:
                uses.append(_use(question, verdict, verdict.key, gateways[question.token], now))
        if uses:
            await self._log.append(uses)
            self._failures = 0
        return verdicts

    async def fault(self) -> str | None:
        """Why verification does not work, in a word or two; None if no reason is known.

        Two failed batches are a fault until one succeeds, or none was tried for a while. In addition, a read and a small
        write are tried, at most every PROBE_SECONDS: a node that is not ready gets no requests, and would stay so.
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

    async def _read(self, batch: list[PendingVerification], tokens: dict[str, tuple[bytes, ...]]) -> store.Found:
        wanted: dict[bytes, None] = {}
        imported: list[bytes] = []
        for question in batch:
            if question.secret is None:
                continue
            question.digests = self._digests(question.secret)
            if type(question.secret) is ForeignSecret:
                question.digests += keyed_digests(self._peppers, question.secret)
                imported += question.digests
            else:
                wanted.update(dict.fromkeys(question.digests))
        return await store.read(self._hot, list(wanted), [digest for digests in tokens.values() for digest in digests], imported)

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

    def _renew(self, question: PendingVerification, verdict: Verdict | KeydeskError) -> None:
        """Stores the digests of valid keys under the current pepper instead of the previous one, or of their hash, after the
        response."""
        if not isinstance(verdict, Verdict) or verdict.key is None or not verdict.valid or question.secret is None:
            return
        if verdict.key.pepper_version < 0:
            self._later(importing.adopt(verdict.key.id, verdict.key.workspace_id, question.secret))
        elif verdict.key.pepper_version < self._pepper_version:
            self._later(key_store.redigest(verdict.key.id, question.digests[0], self._pepper_version))

    def _renew_gateways(self, gateways: dict[str, Gateway | None], tokens: dict[str, tuple[bytes, ...]]) -> None:
        """Like `_renew`, for the gateway tokens of the batch."""
        for token, gateway in gateways.items():
            if gateway and gateway.pepper_version is not None and gateway.pepper_version < self._pepper_version:
                self._later(token_store.redigest(gateway.id, tokens[token][0], self._pepper_version))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(_in_transaction(work), context=contextvars.Context())
        self._afterwards.add(task)
        task.add_done_callback(self._afterwards.discard)


async def _in_transaction(work: Coroutine[Any, Any, None]) -> None:
    # A failure is harmless: the next verification tries again.
    with contextlib.suppress(Unavailable), contextlib.closing(work):
        async with database.transaction():
            await work


def _evaluate(question: PendingVerification, gateway: Gateway | None, found: store.Found, now: int) -> Verdict | KeydeskError:
    if gateway is None:
        return NotAuthenticated(_NO_GATEWAY)
    if question.secret is None:
        return Verdict(Code.MALFORMED)
    # Two keys have one secret if it was imported by hashes of two algorithms.
    if verdicts := [
        evaluate(question.asked, found.keys[digest], gateway, now) for digest in question.digests if digest in found.keys
    ]:
        return strictest(verdicts) if len(verdicts) > 1 else verdicts[0]
    if type(question.secret) is ForeignSecret and not found.any_imported:
        return Verdict(Code.MALFORMED)
    return evaluate(question.asked, None, gateway, now)


def _use(question: PendingVerification, verdict: Verdict, key: KeyRecord, gateway: Gateway | None, now: int) -> Use:
    """An allowed request with a report to follow is counted by that report. All others for a known key are counted now."""
    asked, outcome = question.asked, verdict.code.value
    requests, permission = 0 if verdict.valid and question.follows else 1, asked.permission or ""
    limiter = CALLER_LIMITER if outcome in USES else REFUSED_LIMITER
    network, user_agent = limiter.bucket(key.id, now, asked.address, asked.user_agent)
    request_id = question.request_id if key.logs_requests else None
    rule = None if verdict.valid or request_id is None else refusing_rule(verdict.code, key, asked, gateway)
    counted = (key.id, hour_of(now), permission, outcome, network, user_agent, requests, now, now, asked.address)
    return Use(*counted, request_id, rule)


def _measure(verdicts: list[tuple[PendingVerification, Verdict | KeydeskError]]) -> None:
    """Once per batch and code: updating the counter for every request would cost as much as its verdict."""
    metrics.BATCH.observe(len(verdicts))
    codes = collections.Counter(verdict.code if isinstance(verdict, Verdict) else None for _, verdict in verdicts)
    for code, count in codes.items():
        if code is not None:
            _COUNTED[code].inc(count)
    metrics.UNANSWERED.inc(sum(isinstance(verdict, Unavailable) for _, verdict in verdicts))


def _settle(question: PendingVerification, verdict: Verdict | KeydeskError) -> None:
    if question.answer.done():
        return
    if isinstance(verdict, Verdict):
        question.answer.set_result(verdict)
    else:
        question.answer.set_exception(verdict)


def _configured_gateway(token: str, peppers: Peppers) -> Gateway:
    """Tokens of the settings have no row; their id is derived from their keyed digest, so that it is stable for usage batches.

    Uses the older pepper while there are two, so that a batch sent again meanwhile is recognized.
    """
    oldest = min(peppers.all, key=lambda pepper: pepper.version)
    return Gateway("gtk_" + oldest.digest(token).hex()[:20])
