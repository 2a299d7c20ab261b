"""`keydesk serve`: the node itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from urllib.parse import urlsplit

import click

from app import logs
from app.accounts import service as accounts
from app.cli.frame import Said, say, settings, with_json
from app.database.alone import serving
from app.settings import Settings

_PLAIN_HTTP = "Nobody can sign in there: over plain http browsers drop the session cookie. Use https, or KEYDESK_DEV for a trial."
_NOT_ALONE = "Warning: another server uses {} already. They wait for each other's every write: stop one, or use PostgreSQL."
_DEV = "Development: cookies travel over plain http, and localhost and 127.0.0.1 are one address. Not for the open network."


@with_json
@click.command("serve")
@click.option("--without-journal", is_flag=True, help="Keep alive what the revocation journal names as taken away.")
def serve(as_json: bool, without_journal: bool) -> None:
    """Serve until a signal ends it.

    The dashboard, GraphQL and /v1, as KEYDESK_ROLE says. Migrates the database first, or makes one. As long as nobody owns a
    workspace, each start prints a link to make the first account: it works once, for 15 minutes. SIGTERM lets the node finish
    what is under way; Ctrl-C ends it now.
    """
    # Imported here, because the other commands need neither web framework nor server and answer a second sooner.
    from app import server

    chosen = server.settled(settings())
    logs.set_up(chosen.log_level)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(chosen, as_json, not without_journal))


async def _serve(chosen: Settings, as_json: bool, with_journal: bool) -> None:
    from app import server
    from app.main import create_app

    with contextlib.ExitStack() as stack:

        async def opened() -> Callable[[], None]:
            alone = stack.enter_context(serving(chosen.sqlite_path)) if chosen.sqlite_path else True
            link = await accounts.set_up_link() if chosen.role != "verify" else None
            return lambda: say(_listening(chosen, link, alone=alone), as_json)

        await server.serve(create_app(chosen, with_journal=with_journal), opened)


def _listening(chosen: Settings, link: str | None, *, alone: bool = True) -> Said:
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
        lines.append(f"Nobody owns a workspace yet. Make the first account here, within 15 minutes: {link}")
    data = {"listening": address, "url": chosen.origin, "dev": chosen.dev, "setUpLink": link}
    return Said(data, tuple(lines), () if alone else (_NOT_ALONE.format(chosen.sqlite_path),))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
