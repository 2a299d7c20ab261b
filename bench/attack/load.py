"""`python -m bench.attack.load JSON`: sends expensive operations from a separate process, so that the time to read their
answers is not counted as the server's. Prints how many answers were not 200."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from bench.attack.client import post

# An answer has several hundred kilobytes.
BUFFER = 1 << 20


async def main(given: dict[str, Any]) -> None:
    refused = 0

    async def attack(body: bytes) -> None:
        nonlocal refused
        reader, writer = await asyncio.open_connection("127.0.0.1", given["port"], limit=BUFFER)
        while time.perf_counter() < given["until"]:
            refused += await post(reader, writer, "/graphql", given["token"], body) != 200
        writer.close()

    await asyncio.gather(*(attack(body.encode()) for body in given["bodies"]))
    print(refused)


asyncio.run(main(json.loads(sys.argv[1])))
