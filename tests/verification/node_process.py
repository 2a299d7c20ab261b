"""A node in a separate process, called without HTTP: `worker count` or `worker revoke STEPS`, with keys as JSON in SECRETS.

`count` verifies until it is killed and writes `s` before each request and `a` after its answer. `revoke` verifies in steps and
writes a dot after each; at the end it writes, by key, when it began the last accepted verification (monotonic clock, ns).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from typing import Any

from app import start
from app.settings import Settings
from app.verification.routes import Verification
from tests.support.time_limits import extend_until_exit

AT_ONCE, STEPS, STEP = 32, 50, 704


async def verify(app: Verification, token: str, key: str) -> dict[str, Any] | None:
    """The answer; None for a 503."""
    sent: list[Any] = []
    body = json.dumps({"key": key, "permission": "pdf.read"}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/v1/verify", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    assert sent[0]["status"] in (200, 503), sent
    return json.loads(sent[1]["body"]) if sent[0]["status"] == 200 else None


async def count(app: Verification, token: str, keys: list[str]) -> None:
    async def ask() -> None:
        while True:
            os.write(1, b"s")
            if await verify(app, token, random.choice(keys)):
                os.write(1, b"a")

    await asyncio.gather(*(ask() for _ in range(AT_ONCE)))


async def revoke(app: Verification, token: str, keys: list[str], steps: int) -> None:
    accepted: dict[str, int] = {}
    answered = 0

    async def ask() -> None:
        nonlocal answered
        for _ in range(STEP // AT_ONCE):
            key, begun = random.choice(keys), time.monotonic_ns()
            answer = await verify(app, token, key)
            answered += answer is not None
            if answer and answer["valid"]:
                accepted[key] = max(accepted.get(key, 0), begun)

    for _ in range(steps):
        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
        print(".", flush=True)
    print(json.dumps({"accepted": accepted, "answered": answered}), flush=True)


async def main() -> None:
    extend_until_exit()
    settings, keys = Settings.load(os.environ), json.loads(os.environ["SECRETS"])
    app, token = Verification(settings), settings.gateway_tokens[0]
    async with start.opened(settings):
        await app.open()
        await (count(app, token, keys) if sys.argv[1] == "count" else revoke(app, token, keys, int(sys.argv[2])))
        await app.close()


if __name__ == "__main__":
    asyncio.run(main())
