"""Sends one request on a keep-alive connection."""

from __future__ import annotations

import asyncio
import re


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, token: str, body: bytes) -> int:
    """Returns the status of the answer after reading all of it."""
    port = writer.get_extra_info("peername")[1]
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(re.search(rb"(?i)content-length: *(\d+)", answer)[1])  # type: ignore[index]
    await reader.readexactly(length)
    return int(answer.split(b" ", 2)[1])
