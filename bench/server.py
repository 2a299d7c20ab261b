"""The server under load, a process of its own on the first core: granian with uvloop as `keydesk serve` runs it.

`python -m bench.server KEYS FILE WATCHED` fills the database of `KEYDESK_DATABASE_URL`, writes the sample to FILE when it is
about to listen, and ends with SIGTERM.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from app.api import rate
from app.main import create_app
from bench import cores, sample, yardsticks


def lift_rates() -> None:
    """What is measured is how fast the server answers, not how much one caller may ask for."""
    for name in ("CALLER", "WORKSPACE"):
        setattr(rate, name, replace(getattr(rate, name), size=10**9, per_second=10**9))


async def serve(keys: int, file: Path, watched: int) -> None:
    lift_rates()
    product = create_app()
    async with product.running():
        held = await sample.fill(keys, watched)
        server = Server(
            yardsticks.beside(product),
            address=product.settings.host,
            port=product.settings.port,
            interface=Interfaces.ASGINL,
            backlog=1024,
            websockets=False,
            log_enabled=False,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        half = file.with_suffix(".half")
        half.write_text(json.dumps(held.as_json()))
        half.rename(file)
        await server.serve()


if __name__ == "__main__":
    cores.use(cores.SERVER)
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
