"""What a node serves besides verification: GraphQL for programs and the dashboard for people.

`main.py` imports this module after the first verifications can be answered, because importing and building it takes longer than all
the rest of a start. A node with `KEYDESK_ROLE=verify` never imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from app import metrics
from app.api.schema import core
from app.api.server.endpoint import Endpoint, refuse_host
from app.api.server.explorer import Explorer, Visitor
from app.api.server.operations import Operations
from app.api.server.sockets import Sockets
from app.asgi import App
from app.live import Live
from app.pace import Pace
from app.settings import Settings
from app.web.dashboard import Dashboard
from app.web.framework.downloads import Downloads
from app.web.framework.session_auth import SessionAuth


class ControlPlane:
    """Three ASGI applications: `graphql` for one path, `sockets` for its WebSockets, `pages` for all others.

    `urgent` returns whether keys are being verified."""

    def __init__(
        self, settings: Settings, gate: SessionAuth, stopping: asyncio.Event, pace: Pace, urgent: Callable[[], bool]
    ) -> None:
        self._gate = gate
        live = Live(stopping)
        dashboard = Dashboard(settings, gate, live, pace, Downloads(urgent))
        self.compile_templates: Callable[[], None] = dashboard.compile_templates
        explorer = Explorer(core(), self._visitor, dashboard.static_url)
        operations = Operations(pace, trusted_only=settings.trusted_documents_only)
        graphql = Endpoint(gate.describe, gate.session_actor, explorer, operations, live)
        self.graphql: App = metrics.with_request_metrics("graphql", gate.wrap(graphql, refuse_host))
        self.sockets: App = gate.wrap_socket(Sockets(graphql, gate.describe, gate.network, live))
        self.pages: App = metrics.with_request_metrics("dashboard", gate.wrap(dashboard))

    async def _visitor(self, scope: Mapping[str, Any]) -> Visitor | None:
        found = await self._gate.find_visitor(scope)
        return Visitor(found.actor, found.session.user.name) if found else None
