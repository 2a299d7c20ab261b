"""The server under load, a separate process on the first core: granian with uvloop, as `keydesk serve` runs it.

`python -m bench.server KEYS FILE WATCHED` fills the database of `KEYDESK_DATABASE_URL`, writes the sample to FILE just before
it listens, and exits on SIGTERM.
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

from app.api.execution import rate
from app.main import create_app
from app.server import tune_for_latency
from bench import baselines, cores, sample
from bench.graphql.floors import Floors


def lift_rates() -> None:
    """Removes the rate limits, because the benchmark measures the server's speed and not a caller's quota."""
    for name in ("CALLER", "WORKSPACE"):
        setattr(rate, name, replace(getattr(rate, name), size=10**9, per_second=10**9))


async def serve(keys: int, file: Path, watched: int) -> None:
    lift_rates()
    product = create_app()
    async with product.running():
        data = await sample.fill(keys, watched)
        tune_for_latency()
        server = Server(
            baselines.beside(product, await Floors.of(data)),
            address=product.settings.host,
            port=product.settings.port,
            interface=Interfaces.ASGINL,
            backlog=1024,
            websockets=False,
            log_enabled=False,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        half = file.with_suffix(".half")
        half.write_text(json.dumps(data.as_json()))
        half.rename(file)
        await server.serve()


if __name__ == "__main__":
    cores.pin_to(cores.SERVER)
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
