"""The shapes of ASGI, so that the rest needs no framework for its types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# Whatever the framework's own types of these three are; Litestar's are unions that nothing else fits.
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
