"""`keydesk serve`: runs a node, in one process or in several."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import click

from app import cores, logs, start
from app.authentication import service as authentication
from app.cli.runner import Result, emit, error_line, settings, with_json
from app.database.server_lock import lock_for_server
from app.errors import KeydeskError, StartRefused
from app.settings import Settings, parse_workers
from app.workers.parent import Parent
from app.workers.process import Seat, once

_PLAIN_HTTP = "Nobody can sign in there: over plain http browsers drop the session cookie. Use https, or KEYDESK_DEV for a trial."
_NOT_ALONE = "Warning: another server uses {} already ({}). They wait for each other's every write: stop one, or use PostgreSQL."
_DEV = "Development: cookies travel over plain http, and localhost and 127.0.0.1 are one address. Not for the open network."
_log = logging.getLogger("keydesk.server")


class _Workers(click.ParamType[int]):
    """As KEYDESK_WORKERS."""

    name = "number or auto"

    def convert(self, value: str | int, parameter: click.Parameter | None, context: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else parse_workers(value)
        except ValueError as error:
            self.fail(f"{error}.", parameter, context)


@with_json
@click.command("serve")
@click.option("--workers", "count", type=_Workers(), help="Processes that answer; auto: one per core. Default: KEYDESK_WORKERS.")
@click.option("--without-journal", is_flag=True, help="Keep alive what the revocation journal names as taken away.")
def serve(as_json: bool, count: int | None, without_journal: bool) -> None:
    """Serve until a signal ends it.

    The dashboard, GraphQL and /v1, as KEYDESK_ROLE says. Migrates the database first, or makes one. As long as nobody owns a
    workspace, each start prints a link to make the first account: it works once, for 15 minutes. SIGTERM lets the node finish
    what is under way; Ctrl-C ends it now.
    """
    # Until the node is complete (`server.tune_for_latency`): collecting what is being imported takes a fifth of the start.
    gc.disable()
    chosen = settings()
    if count is not None:
        chosen = replace(chosen, workers=count)
    if chosen.workers > 1:
        from app import shared_metrics

        # Before the first metric is created.
        with shared_metrics.shared():
            _serve_with_workers(chosen, as_json, not without_journal)
        return
    # Imported here, because the other commands need neither web framework nor server and start a second faster without.
    from app import server

    chosen = server.with_actual_port(chosen)
    logs.set_up(chosen.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(chosen, as_json, not without_journal))


async def _serve(chosen: Settings, as_json: bool, with_journal: bool) -> None:
    from app import server
    from app.main import create_app

    with contextlib.ExitStack() as stack:

        async def opened() -> Callable[[], None]:
            other = stack.enter_context(_lock(chosen))
            link = await _set_up_link(chosen)
            return lambda: emit(_listening(chosen, link, other), as_json)

        await server.serve(create_app(chosen, with_journal=with_journal), opened)


def _serve_with_workers(chosen: Settings, as_json: bool, with_journal: bool) -> None:
    """The parent. Everything that the workers need is imported before they are forked, and shared by them in memory."""
    from app import control_plane, server  # noqa: F401 - the workers use it

    chosen = server.with_actual_port(chosen)
    listeners = server.shared_sockets(chosen)
    logs.set_up(chosen.log_level)
    link = json.loads(once(lambda seat: _prepare(chosen, with_journal, seat)))
    with _lock(chosen) as other:

        def announce() -> None:
            emit(_listening(chosen, link, other), as_json)
            sys.stdout.flush()

        Parent(chosen, listeners, lambda seat: _be_worker(chosen, seat), announce).run()


def _prepare(chosen: Settings, with_journal: bool, seat: Seat) -> None:
    async def prepare() -> None:
        async with start.opened(chosen, make=True, with_journal=with_journal):
            seat.announce(json.dumps(await _set_up_link(chosen)))

    try:
        asyncio.run(prepare())
    except (KeydeskError, OSError) as error:
        seat.refuse(error_line(error))
        sys.exit(1)


def _be_worker(chosen: Settings, seat: Seat) -> None:
    from app import server, shared_metrics
    from app.main import create_app

    async def opened() -> Callable[[], None]:
        return seat.announce

    async def work() -> None:
        await server.serve(create_app(chosen, prepared=True), opened, server.Surroundings(seat.listener, seat.signals, seat.refuse))

    logs.set_up(chosen.log_level, worker=seat.number)
    cores.share(chosen.workers)
    shared_metrics.enter(seat.number)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work())
    except StartRefused as error:
        seat.refuse(error_line(error))
        sys.exit(1)
    except (KeydeskError, OSError) as error:
        # The database, for example, cannot be reached: the next worker may have more luck.
        _log.error("%s", error_line(error))
        sys.exit(1)
    finally:
        shared_metrics.leave()


def _lock(chosen: Settings) -> contextlib.AbstractContextManager[str | None]:
    return lock_for_server(chosen.sqlite_path) if chosen.sqlite_path else contextlib.nullcontext()


async def _set_up_link(chosen: Settings) -> str | None:
    return await authentication.set_up_link() if chosen.role != "verify" else None


def _listening(chosen: Settings, link: str | None, other: str | None) -> Result:
    host = f"[{chosen.host}]" if ":" in chosen.host else chosen.host
    address = f"http://{host}:{chosen.port}"
    lines = [f"Keydesk listens on {address}"]
    if chosen.public_url:
        lines.append(f"People open it at {chosen.public_url}")
        if urlsplit(chosen.public_url).scheme == "http" and not chosen.dev:
            lines.append(_PLAIN_HTTP)
    if chosen.dev:
        lines.append(_DEV)
    if link:
        lines.append(f"Nobody owns a workspace yet. Create the first account here, within 15 minutes: {link}")
    data = {"listening": address, "url": chosen.origin, "dev": chosen.dev, "setUpLink": link}
    return Result(data, tuple(lines), (_NOT_ALONE.format(chosen.sqlite_path, other),) if other else ())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
