"""Startup and shutdown: however the application handles them, all outcomes are reported before the server exits."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import litestar
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from tests.client.conftest import Upstream, caller, counted, protect, served
from tests.client.test_exchange import LAST, START
from tests.conftest import Team, make_key

BOTH = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def answer(send: Any) -> None:
    await send(START)
    await send(LAST)


async def without(scope: Any, receive: Any, send: Any) -> None:
    """Does not support lifespan and raises, as ASGI specifies."""
    if scope["type"] != "http":
        raise NotImplementedError
    await answer(send)


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Returns from a lifespan without sending a message."""
    if scope["type"] == "http":
        await answer(send)


async def impatient(scope: Any, receive: Any, send: Any) -> None:
    """Completes startup and does not wait for shutdown."""
    if scope["type"] == "http":
        await answer(send)
    else:
        await receive()
        await send({"type": BOTH[0]})


async def gone_midway(scope: Any, receive: Any, send: Any) -> None:
    """Receives the startup event and then raises."""
    if scope["type"] == "http":
        await answer(send)
    else:
        await receive()
        raise RuntimeError("no lifespan here")


@pytest.mark.parametrize("app", [without, silent, impatient, gone_midway])
async def test_nothing_is_lost_at_the_end_of_an_app_without_a_lifespan(team: Team, upstream: Upstream, app: Any) -> None:
    made = await make_key(team)
    protected = protect(app, upstream, permissions={"GET /": "pdf.read"})
    async with served(protected) as said, caller(protected, made.secret) as api:
        assert said == BOTH[:1]
        assert (await api.get("/")).status_code == 200
    assert said == BOTH
    assert await counted(team, made.key.id) == (1, 0)


@pytest.mark.parametrize("kind", [Starlette, FastAPI, litestar.Litestar])
async def test_the_app_starts_and_stops_and_then_everything_is_reported(team: Team, upstream: Upstream, kind: Any) -> None:
    made = await make_key(team)
    happened: list[Any] = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        happened.append("start")
        yield
        happened.append(("stop", await counted(team, made.key.id)))

    app = kind(lifespan=[lifespan] if kind is litestar.Litestar else lifespan)
    protected = protect(app, upstream, permissions={"GET /": "pdf.read"})
    async with served(protected) as said, caller(protected, made.secret) as api:
        assert (await api.get("/")).status_code == 404
    assert happened == ["start", ("stop", (0, 0))]
    assert said == BOTH
    assert await counted(team, made.key.id) == (0, 1)


async def test_the_failed_startup_of_an_app_is_passed_on(upstream: Upstream) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    with pytest.raises(RuntimeError, match="no database"):
        async with served(protect(Starlette(lifespan=lifespan), upstream)) as said:
            assert said == ["lifespan.startup.failed"]
    assert said == ["lifespan.startup.failed"]


async def test_an_app_whose_shutdown_fails_loses_no_outcome(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send)
            return
        await receive()
        await send({"type": BOTH[0]})
        await receive()
        raise RuntimeError("cannot stop")

    protected = protect(app, upstream, permissions={"GET /": "pdf.read"})
    with pytest.raises(RuntimeError, match="cannot stop"):
        async with served(protected), caller(protected, made.secret) as api:
            assert (await api.get("/")).status_code == 200
    assert await counted(team, made.key.id) == (1, 0)


async def test_a_shutdown_without_keydesk_is_bounded_and_logs_what_is_left(
    team: Team, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    made = await make_key(team)
    protected = protect(without, upstream, permissions={"GET /": "pdf.read"}, drain_seconds=0.01)
    async with served(protected) as said, caller(protected, made.secret) as api:
        assert (await api.get("/")).status_code == 200
        upstream.down = True
    assert said == BOTH
    assert "1 outcomes could not be reported before the end" in caplog.text


async def test_closing_twice_is_harmless_and_a_late_request_is_served_and_counted(team: Team, upstream: Upstream) -> None:
    made = await make_key(team)
    protected = protect(without, upstream, permissions={"GET /": "pdf.read"})
    await protected.aclose()
    await protected.aclose()
    async with caller(protected, made.secret) as api:
        assert (await api.get("/")).status_code == 200
    await protected.aclose()
    assert await counted(team, made.key.id) == (1, 0)
