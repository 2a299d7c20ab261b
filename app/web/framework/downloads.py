"""Large files, made and sent in pieces: nothing is kept in memory, and pages and verification go on meanwhile."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from litestar import Response
from litestar.response import Stream

from app.downloads import file_headers
from app.errors import NotAuthenticated, TooManyAttempts
from app.pace import Share
from app.sessions import service as sessions
from app.web.framework.session_auth import Visitor

MOST: Final = 8
MOST_OF_WORKSPACE: Final = 2
# The fraction of the event loop that all downloads of a node may use together while keys are being verified.
SHARE: Final = 0.05
# How often it is checked again that the reader still has access.
CHECK_SECONDS: Final = 1.0


class Downloads:
    """The downloads of this node; `limited`: whether keys are being verified."""

    def __init__(self, limited: Callable[[], bool]) -> None:
        self._share = Share(SHARE, limited)
        self._open: Counter[str] = Counter()

    def stream(
        self,
        visitor: Visitor,
        workspace_id: str,
        pieces: AsyncIterator[str],
        *,
        allowed: Callable[[], Awaitable[object]],
        media_type: str,
        file_name: str,
    ) -> Response[Any]:
        """Sends the pieces as they are made. A reader who loses access gets an incomplete file. `allowed` raises then.

        Raises TooManyAttempts while this workspace or the node has too many downloads.
        """
        self._require_room(workspace_id)

        async def sent() -> AsyncIterator[str]:
            with self._counted(workspace_id):
                checked = time.monotonic()
                while (piece := await self._share.of(lambda: _next(pieces), lambda: workspace_id)) is not None:
                    if time.monotonic() - checked > CHECK_SECONDS:
                        await allowed()
                        if not await sessions.is_signed_in(visitor.token):
                            raise NotAuthenticated
                        checked = time.monotonic()
                    yield piece

        headers = {"cache-control": "no-store", **file_headers(file_name)}
        return Stream(sent(), media_type=media_type, headers=headers)

    def _require_room(self, workspace_id: str) -> None:
        if self._open[workspace_id] >= MOST_OF_WORKSPACE or self._open.total() >= MOST:
            raise TooManyAttempts(retry_after_seconds=10)

    @contextlib.contextmanager
    def _counted(self, workspace_id: str) -> Iterator[None]:
        self._open[workspace_id] += 1
        try:
            yield
        finally:
            self._open[workspace_id] -= 1
            self._open += Counter()  # drops entries at zero


async def _next(pieces: AsyncIterator[str]) -> str | None:
    return await anext(pieces, None)
