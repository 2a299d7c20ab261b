"""Types of ASGI, so that the client needs no framework for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# `Any`, because frameworks have their own types for the three arguments; Litestar's unions match no other type.
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
