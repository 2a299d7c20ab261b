"""One POST over one connection, to an address that was checked: no redirects, no reuse, little of the response.

The host is resolved here, once, and the connection goes to the checked address itself, so that a name server that answers
differently the second time (DNS rebinding) changes nothing. The certificate is checked against the host's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.outgoing.url import Rules, Target, UrlRefused, require_open

TIMEOUT_SECONDS: Final = 10.0
# A response's status is what counts; its body is only waited for this long.
BODY_SECONDS: Final = 2.0
MOST_HEAD_BYTES: Final = 16_384
MOST_BODY_BYTES: Final = 1_024
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r?\n")
_HEADER: Final = re.compile(r"[!-9;-~]+: [ -~]*")

Resolver = Callable[[str, int], Awaitable[list[str]]]


class Unanswered(Exception):
    """No response; the message is a sentence for the owner of the URL, and quotes nothing that was received."""


@dataclass(frozen=True, slots=True)
class Response:
    """`body`: its first bytes. `retry_after_seconds`: from the header, when it is a number."""

    status: int
    body: bytes = field(repr=False)
    duration_ms: int
    retry_after_seconds: int | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, without repetitions. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def post(
    target: Target, headers: Mapping[str, str], body: bytes, rules: Rules, *, resolver: Resolver | None = None
) -> Response:
    """Raises Unanswered. Also for an address that may not be contacted: then nothing was sent to any."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS) as limit:
            addresses = await (resolver or resolve)(target.host, target.port)
            require_open(addresses, target, rules)
            async with _connected(target, addresses) as (reader, writer):
                writer.write(_head(target, headers, len(body)) + body)
                await writer.drain()
                status, fields = await _read_head(reader)
                answered = round((time.monotonic() - began) * 1_000)
                limit.reschedule(None)
                content = await _read_body(reader, fields)
    except UrlRefused as refusal:
        raise Unanswered(str(refusal)) from None
    except TimeoutError:
        raise Unanswered(f"There was no response within {TIMEOUT_SECONDS:.0f} seconds.") from None
    except socket.gaierror:
        raise Unanswered("The host name has no address.") from None
    except ssl.SSLCertVerificationError as failure:
        raise Unanswered(f"The certificate is not valid: {failure.verify_message}.") from None
    except ssl.SSLError:
        raise Unanswered("A TLS connection could not be made.") from None
    except (OSError, UnicodeError):
        raise Unanswered("The connection failed.") from None
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise Unanswered("The response was not HTTP.") from None
    retry = fields.get("retry-after", "")
    return Response(status, content, answered, int(retry) if re.fullmatch("[0-9]{1,6}", retry) else None)


@contextlib.asynccontextmanager
async def _connected(target: Target, addresses: list[str]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the first of the addresses that accepts one."""
    tls = {"ssl": _trust(), "server_hostname": target.host} if target.is_tls else {}
    failure: OSError = ConnectionRefusedError()
    for address in addresses:
        try:
            reader, writer = await asyncio.open_connection(address, target.port, limit=MOST_HEAD_BYTES, **tls)  # type: ignore[arg-type]  # of mixed types
        except ssl.SSLError:
            raise
        except OSError as error:
            failure = error
            continue
        try:
            yield reader, writer
        finally:
            # Aborted, not closed: a receiver that never says goodbye must not keep the connection open.
            writer.transport.abort()
        return
    raise failure


@functools.cache
def _trust() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _head(target: Target, headers: Mapping[str, str], length: int) -> bytes:
    """Raises ValueError for a header that would break the line."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if not all(map(_HEADER.fullmatch, lines)):
        raise ValueError("a header has a character that does not belong there")
    first = (f"POST {target.path} HTTP/1.1", f"Host: {target.authority}", f"Content-Length: {length}", "Connection: close")
    return "".join(f"{line}\r\n" for line in (*first, *lines, "")).encode("ascii")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers; interim responses are skipped. Raises ValueError, and the errors of `readuntil`."""
    for _ in range(5):
        head = await reader.readuntil(b"\r\n\r\n")
        match = _STATUS.match(head)
        if match is None:
            raise ValueError("not a status line")
        if int(match[1]) >= 200:
            lines = head[match.end() :].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines if ":" in line)
            return int(match[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}
    raise ValueError("only interim responses")


async def _read_body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    """Its first bytes, as many as come in time; a body that breaks off changes nothing about the status."""
    length = fields.get("content-length", "")
    most = min(int(length), MOST_BODY_BYTES) if re.fullmatch("[0-9]{1,12}", length) else MOST_BODY_BYTES
    content = b""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(BODY_SECONDS):
            while len(content) < most and (more := await reader.read(most - len(content))):
                content += more
    return _without_chunks(content) if fields.get("transfer-encoding", "").lower() == "chunked" else content


def _without_chunks(content: bytes) -> bytes:
    """As much of a chunked body as is there (RFC 9112, section 7.1)."""
    plain = b""
    while match := re.match(rb"([0-9A-Fa-f]{1,8})[^\r\n]{0,100}\r\n", content):
        size = int(match[1], 16)
        plain += content[match.end() : match.end() + size]
        content = content[match.end() + size + 2 :]
    return plain
