"""A node that has just been started: it verifies at once, and is ready when everything else can be served too."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import httpx
import pytest

from app import control_plane
from app.main import Keydesk, create_app
from app.settings import Settings
from tests.conftest import GATEWAY_TOKEN
from tests.support.processes import answer, python


def client_of(app: Keydesk) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=app.settings.origin)  # type: ignore[arg-type]


async def test_a_starting_node_verifies_is_not_ready_and_answers_pages_and_graphql_once_they_are_built(
    settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_build = threading.Event()
    real = control_plane.ControlPlane

    def build(*given: object) -> control_plane.ControlPlane:
        assert may_build.wait(60)
        return real(*given)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(control_plane, "ControlPlane", build)
    app = create_app(settings)
    await app._verification.open()
    async with client_of(app) as client:
        waiting = [asyncio.create_task(client.get("/sign-in")), asyncio.create_task(client.get("/graphql"))]
        completing = asyncio.create_task(app.complete())
        verdict = await client.post("/v1/verify", json={"key": "x"}, headers={"authorization": f"Bearer {GATEWAY_TOKEN}"})
        assert (verdict.status_code, verdict.json()["code"]) == (200, "MALFORMED")
        assert (await client.get("/livez")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["faults"].get("node")) == (503, "starting")
        assert not completing.done() and not any(each.done() for each in waiting)
        may_build.set()
        await completing
        assert "node" not in (await client.get("/readyz")).json()["faults"]
        assert [(await each).status_code for each in waiting] == [200, 303]
    await app._verification.close()


async def test_a_page_waits_for_the_same_build_after_the_first_client_has_left(
    settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_build, built = threading.Event(), list[object]()
    real = control_plane.ControlPlane

    def build(*given: object) -> control_plane.ControlPlane:
        assert may_build.wait(60)
        built.append(given)
        return real(*given)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(control_plane, "ControlPlane", build)
    app = create_app(settings)
    async with client_of(app) as client:
        first = asyncio.create_task(client.get("/sign-in"))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(client.get("/sign-in"))
        await asyncio.wait([first])
        may_build.set()
        assert (await second).status_code == 200 and len(built) == 1


async def test_a_part_that_cannot_be_built_ends_the_start(settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*given: object) -> None:
        raise TypeError("a field declares no action")

    monkeypatch.setattr(control_plane, "ControlPlane", build)
    app = create_app(settings)
    with pytest.raises(TypeError, match="declares no action"):
        await app.complete()
    assert app.health.starting


async def test_a_node_that_only_verifies_builds_nothing_else(settings: Settings, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(control_plane, "ControlPlane")
    app = create_app(replace(settings, role="verify"))
    await app.complete()
    assert not app.health.starting


def test_verification_is_imported_without_graphql_pages_migrations_and_other_commands() -> None:
    source = (
        "import sys, app.main, app.server, app.cli\n"
        "app.cli.main.get_command(None, 'serve')\n"
        "print([name for name in sys.argv[1:] if name in sys.modules])"
    )
    unwanted = [
        "litestar",
        "strawberry",
        "graphql",
        "jinja2",
        "black",
        "rich",
        "app.demo",
        "app.doctor",
        "app.api",
        "app.web.dashboard",
    ]
    assert answer(python(source, {}, *unwanted)) == "[]\n"
