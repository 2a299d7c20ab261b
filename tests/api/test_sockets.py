"""Subscriptions over WebSockets: the protocol `graphql-transport-ws`, who may connect, and what ends a connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from app import database, live
from app.access.actor import Actor
from app.api.framework import events
from app.api.server import socket_connection, sockets
from app.api.server.sockets import Sockets
from app.asgi import Receive, Scope, Send
from app.management_keys import service as management_keys
from app.settings import Settings
from app.web.framework.session_auth import SessionAuth
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client, describe
from tests.support.subscriptions import Socket, socket
from tests.support.usage import logged
from tests.support.users import make_owner, sign_in

USED = "keys/used"
RAISED = "alerts/raised"
VIEWER = {"query": "{ viewer { kind } }"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls and checks come fast."""
    monkeypatch.setattr(live, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(events, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(socket_connection, "CHECK_SECONDS", 0.05)


def network(scope: Scope) -> str:
    return "203.0.113.0/24"


def app_of(client: Client) -> Sockets:
    return Sockets(client.endpoint, describe, network, client.endpoint._live)


def bearer(client: Client) -> dict[str, str]:
    return {"authorization": f"Bearer {client.token}"}


@pytest.fixture
async def ci(team: Team) -> Client:
    """A program that may read."""
    return await program(team.owner, team.slug, "keys.read", "usage.read")


def limit_unread(monkeypatch: pytest.MonkeyPatch, most_unproved: int = 1_000_000) -> None:
    """Everything but the first messages waits for the answer to a ping, and no other pings are sent."""
    monkeypatch.setattr(socket_connection, "MOST_UNREAD", 20)
    monkeypatch.setattr(socket_connection, "MOST_UNPROVED", most_unproved)
    monkeypatch.setattr(socket_connection, "PING_EVERY", 1_000_000)


async def ping(found: Socket) -> Any:
    """The payload of the next message, which is a ping."""
    message = json.loads(await found.take())
    assert message["type"] == "ping"
    return message["payload"]


class TestOperations:
    async def test_several_subscriptions_share_a_connection(self, team: Team, ci: Client) -> None:
        one, other = (await make_key(team)).key, (await make_key(team, "Other")).key
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.run("keys/used", as_="one", id=one.id)
            first = await found.data("one")
            await found.run(USED, as_="other", id=other.id)
            await found.data("other")
            await logged(one.id)
            await database.settle()
            assert (await found.data("one"))["requests"] == 1
            await found.send("complete", id="one")
            await logged(one.id)
            await logged(other.id)
            await database.settle()
            assert (await found.data("other"))["requests"] == 1
            # The same name may be used again, here to resume.
            await found.run(USED, as_="one", id=one.id, after=first["cursor"])
            assert (await found.data("one"))["requests"] == 2
        assert not ci.endpoint._live._topics and not ci.endpoint._live._open

    async def test_a_query_is_answered_once_and_a_mutation_not_at_all(self, team: Team, ci: Client) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.send("subscribe", id="1", payload={"query": "{ viewer { kind } }"})
            assert await found.data() == {"kind": "MANAGEMENT_KEY"}
            assert await found.next() == {"type": "complete", "id": "1"}
            key = (await make_key(team)).key
            await found.run("keys/revoke", input={"id": key.id, "reason": "OTHER"})
            assert await found.error() == "BAD_REQUEST"
            assert (await ci.run("keys/show", id=key.id))["revokedAt"] is None

    @pytest.mark.parametrize(
        ("payload", "code"),
        [
            ({"query": "subscription {"}, "GRAPHQL_PARSE_FAILED"),
            ({"query": "subscription { nothing }"}, "BAD_USER_INPUT"),
            ({"query": "subscription { alertRaised(workspace: 1) { cursor } }"}, "BAD_USER_INPUT"),
            ({"query": 'subscription { apiKeyUsed(id: "key_nothing") { cursor } }'}, "NOT_FOUND"),
            ({"query": "{ workspace { auditEvents { totalCount } } }"}, "NOT_ALLOWED"),
            ({"variables": {}}, "BAD_REQUEST"),
            ({"query": "{ viewer { kind } }", "variables": {"a": [0] * 101}}, "LIMIT_EXCEEDED"),
            ({"documentId": "sha256:0"}, "PERSISTED_QUERY_NOT_SUPPORTED"),
            (None, "BAD_REQUEST"),
        ],
    )
    async def test_an_operation_that_is_refused_ends_alone(self, ci: Client, payload: Any, code: str) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.send("subscribe", id="1", payload=payload)
            assert await found.error() == code
            await found.run(RAISED, as_="2")
            assert (await found.data("2"))["alert"] is None

    async def test_objects_of_another_workspace_do_not_exist(self, team: Team, other_team: Team, ci: Client) -> None:
        theirs = (await make_key(other_team)).key
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            for name, given in ((USED, {"id": theirs.id}), (RAISED, {"workspace": other_team.slug})):
                await found.run(name, **given)
                assert await found.error() == "NOT_FOUND"

    async def test_operations_of_a_connection_are_limited(self, ci: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket_connection, "MOST_OF_CALLER", 2)
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            for name in ("1", "2"):
                await found.run(RAISED, as_=name)
                await found.data(name)
            await found.run(RAISED, as_="3")
            assert await found.error("3") == "TOO_MANY_SUBSCRIPTIONS"


class TestProtocol:
    async def test_pings_are_answered_and_sent(self, ci: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.send("ping", payload={"at": 1})
            assert await found.next() == {"type": "pong"}
            await found.send("pong")
            async with asyncio.timeout(60):
                while json.loads(await found.take())["type"] != "ping":
                    pass

    async def test_a_client_that_answers_no_ping_gets_nothing_further(self, ci: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        limit_unread(monkeypatch)
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.send("subscribe", id="1", payload=VIEWER)
            await found.send("pong", payload=await ping(found))
            assert await found.data() == {"kind": "MANAGEMENT_KEY"}
            await found.send("pong", payload=await ping(found))
            assert await found.next() == {"type": "complete", "id": "1"}
            # A refusal waits as well.
            await found.send("subscribe", id="2", payload={"query": "{ nothing }"})
            await found.send("pong", payload=await ping(found))
            assert await found.error("2") == "BAD_USER_INPUT"
            monkeypatch.setattr(socket_connection, "UNREAD_SECONDS", 0.05)
            await found.send("subscribe", id="3", payload=VIEWER)
            # Nor is it enough to answer an earlier ping.
            await found.send("pong", payload={"nonce": "0" * 16})
            assert await found.next() == 1013

    async def test_only_an_answer_with_the_pings_payload_proves_what_was_read(
        self, ci: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit_unread(monkeypatch, most_unproved=2_000)
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            for number in range(50):
                await found.send("subscribe", id=str(number), payload=VIEWER)
                await found.send("pong", payload=await ping(found))
                await found.data(str(number))
                await found.send("pong", payload=await ping(found))
                assert (await found.next())["type"] == "complete"
            # As `gql` answers: it gets what is sent, but not without end.
            received, text = 0, None
            for number in range(50):
                await found.send("subscribe", id=str(number), payload=VIEWER)
                while isinstance(text := await found.take(), str) and '"complete"' not in text:
                    received += len(text)
                    if '"ping"' in text:
                        await found.send("pong")
                if text == 1013:
                    break
            assert text == 1013 and 1_000 < received < 2_500

    @pytest.mark.parametrize("flood", [{"type": "ping"}, {"type": "subscribe", "id": "x" * 100, "payload": {}}])
    async def test_messages_whose_answers_are_not_read_end_the_connection(
        self, ci: Client, monkeypatch: pytest.MonkeyPatch, flood: dict[str, Any]
    ) -> None:
        limit_unread(monkeypatch, most_unproved=1_000)
        monkeypatch.setattr(socket_connection, "MOST_OF_CALLER", 0)
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            for _ in range(100):
                await found.put(json.dumps(flood))
            received = 0
            while isinstance(message := await found.next(), dict):
                received += len(json.dumps(message))
            assert message == 1013 and received < 2_000

    async def test_an_id_is_short_because_messages_repeat_it(self, ci: Client) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.send("subscribe", id="é" * 100, payload=VIEWER)
            await found.data("é" * 100)
            await found.next()
            await found.send("subscribe", id="x" * 101, payload=VIEWER)
            assert await found.next() == 4400

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            ({"type": "connection_init"}, 4429),
            ({"type": "start", "id": "1"}, 4400),
            ({"type": "subscribe", "payload": {}}, 4400),
            ({"type": 1}, 4400),
            (["ping"], 4400),
        ],
    )
    async def test_a_message_against_the_protocol_ends_the_connection(self, ci: Client, sent: Any, code: int) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.put(json.dumps(sent))
            assert await found.next() == code

    @pytest.mark.parametrize(("text", "code"), [("{", 4400), ("[" * 50_000, 4400), ('"\ud800"', 4400), (" " * 70_000, 1009)])
    async def test_a_text_that_is_no_message_ends_the_connection(self, ci: Client, text: str, code: int) -> None:
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            await found.put(text)
            assert await found.next() == code

    async def test_a_name_that_is_in_use_ends_the_connection(self, ci: Client) -> None:
        closed: list[dict[str, Any]] = []

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            async def sent(message: dict[str, Any]) -> None:
                closed.extend([message] if message["type"] == "websocket.close" else [])
                await send(message)

            await app_of(ci)(scope, receive, sent)

        async with socket(noted, **bearer(ci)) as found:
            await found.begin()
            for _ in range(2):
                await found.run(RAISED, as_="🗝" * 100)
            while isinstance(message := await found.next(), dict):
                assert message["type"] == "next"
            assert message == 4409
        # RFC 6455 section 5.5.
        (close,) = closed
        assert "🗝" in close["reason"] and len(close["reason"].encode()) <= 123

    async def test_a_client_that_does_not_speak_the_protocol_is_refused(self, ci: Client) -> None:
        async with socket(app_of(ci), subprotocols=("graphql-ws",), **bearer(ci)) as found:
            assert await found.next() == 4406

    async def test_a_flood_of_messages_is_read_as_fast_as_its_sender_may_cost(self, ci: Client) -> None:
        waited, throttle = [], ci.endpoint.operations.throttle

        async def throttled(actor: Actor, points: int) -> None:
            waited.append(points)
            await throttle(actor, points)

        ci.endpoint.operations.throttle = throttled  # type: ignore[method-assign]
        async with socket(app_of(ci), **bearer(ci)) as found:
            await found.begin()
            for _ in range(5):
                await found.send("ping")
            for _ in range(5):
                assert await found.next() == {"type": "pong"}
        assert len(waited) == 5 and min(waited) > 0


class TestCallers:
    async def test_a_management_key_may_be_in_the_first_message(self, team: Team, ci: Client) -> None:
        for name in ("Authorization", "authorization"):
            async with socket(app_of(ci)) as found:
                await found.begin({name: f"Bearer {ci.token}"})
                await found.run(RAISED)
                await found.data()
        # It is who the client is, even where the browser adds a session.
        member = Client(team.viewer)
        async with socket(app_of(member)) as found:
            await found.begin({"Authorization": f"Bearer {ci.token}"})
            await found.send("subscribe", id="1", payload={"query": "{ viewer { kind } }"})
            assert await found.data() == {"kind": "MANAGEMENT_KEY"}

    async def test_who_does_not_say_who_they_are_is_disconnected(self, ci: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        nobody = Client()
        for payload in (None, {}, [], {"Authorization": "Bearer fl_mgmt_wrong"}, {"Authorization": ci.token}, {"Authorization": 1}):
            async with socket(app_of(nobody)) as found:
                await found.send("connection_init", **({} if payload is None else {"payload": payload}))
                assert await found.next() == 4403
        async with socket(app_of(nobody)) as found:
            await found.run(RAISED)
            assert await found.next() == 4401
        async with socket(app_of(nobody), authorization="Bearer fl_mgmt_wrong") as found:
            assert await found.next() == 1008
        monkeypatch.setattr(sockets, "INIT_SECONDS", 0.05)
        async with socket(app_of(nobody)) as found:
            assert await found.next() == 4408

    async def test_a_revoked_management_key_ends_the_connection_even_without_subscriptions(self, team: Team, ci: Client) -> None:
        (viewer,) = (await ci.ask("{ viewer { managementKey { id } } }")).values()
        async with socket(app_of(ci)) as idle, socket(app_of(ci), **bearer(ci)) as busy:
            await idle.begin({"Authorization": f"Bearer {ci.token}"})
            await busy.begin()
            await busy.run(RAISED)
            await busy.data()
            await management_keys.revoke(team.owner, viewer["managementKey"]["id"])
            assert [await idle.next(), await busy.next()] == [4401, 4401]

    async def test_a_session_that_has_ended_ends_the_connection(self, team: Team) -> None:
        member = Client(team.viewer)
        async with socket(app_of(member)) as found:
            await found.begin()
            member.actor = None
            assert await found.next() == 4401

    async def test_connections_are_counted_for_callers_workspaces_and_the_node(
        self, team: Team, other_team: Team, ci: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        colleague, stranger = [await program(each.owner, each.slug, "keys.read") for each in (team, other_team)]
        async with contextlib.AsyncExitStack() as opened:
            app = app_of(ci)
            for _ in range(2):
                await (await opened.enter_async_context(socket(app, **bearer(ci)))).begin()
            for limit, refused in (
                ("MOST_OF_CALLER", {ci.token}),
                ("MOST_OF_WORKSPACE", {ci.token, colleague.token}),
                ("MOST", {ci.token, colleague.token, stranger.token}),
            ):
                with monkeypatch.context() as patch:
                    patch.setattr(sockets, limit, 2)
                    for caller in (ci, colleague, stranger):
                        async with socket(app, **bearer(caller)) as found:
                            await found.send("connection_init")
                            assert (await found.next() == 4429) == (caller.token in refused), limit
                        async with socket(app) as found:
                            await found.send("connection_init", payload={"Authorization": f"Bearer {caller.token}"})
                            assert (await found.next() == 4429) == (caller.token in refused), limit

    async def test_connections_whose_client_is_unknown_are_few(self, ci: Client) -> None:
        app = app_of(ci)
        async with contextlib.AsyncExitStack() as opened:
            for _ in range(sockets.MOST_UNKNOWN_OF_NETWORK):
                await opened.enter_async_context(socket(app))
            async with socket(app) as found:
                assert await found.next() == 4429
            async with socket(app, **bearer(ci)) as found:
                await found.begin()
        async with socket(app) as found:
            await found.begin({"Authorization": f"Bearer {ci.token}"})

    async def test_all_connections_end_with_the_node(self, ci: Client) -> None:
        async with socket(app_of(ci), **bearer(ci)) as idle, socket(app_of(ci), **bearer(ci)) as busy:
            await idle.begin()
            await busy.begin()
            await busy.run(RAISED)
            await busy.data()
            ci.endpoint._live.stopping.set()
            assert [await idle.next(), await busy.next()] == [1012, 1012]


class TestSessions:
    """A browser adds the session's cookie by itself, also to what a page of another site does."""

    @pytest.fixture
    async def cookie(self, db: None) -> str:
        await make_owner()
        return f"keydesk-session={(await sign_in()).token}"

    async def opened(self, settings: Settings, **headers: str) -> int | Any:
        """The answer to the first message, or the code of the refusal."""
        client, gate = Client(), SessionAuth(settings)
        client.endpoint._session_actor = gate.session_actor
        own = {"host": settings.origin.partition("://")[2]} | headers
        async with socket(gate.wrap_socket(app_of(client)), **own) as found:
            await found.send("connection_init")
            return await found.next()

    async def test_a_session_may_connect_from_our_own_pages_alone(self, settings: Settings, cookie: str) -> None:
        assert await self.opened(settings, cookie=cookie, origin=settings.origin) == {"type": "connection_ack"}
        for origin in ("https://evil.example", "null", f"{settings.origin}.evil.example", "http://localhost"):
            assert await self.opened(settings, cookie=cookie, origin=origin) == 1008
        assert await self.opened(settings, cookie=cookie) == 1008
        site = {"sec-fetch-site": "cross-site"}
        assert await self.opened(settings, cookie=cookie, origin=settings.origin, **site) == 1008
        assert await self.opened(settings, cookie=cookie, origin=settings.origin, host="evil.example") == 1008

    async def test_a_foreign_page_may_not_connect_with_a_management_key_either(self, settings: Settings, ci: Client) -> None:
        assert await self.opened(settings, origin="https://evil.example", **bearer(ci)) == 1008
        assert await self.opened(settings, **bearer(ci)) == {"type": "connection_ack"}

    async def test_an_open_connection_does_not_keep_a_session_alive(self, settings: Settings, cookie: str) -> None:
        gate = SessionAuth(settings)
        headers = [(b"cookie", cookie.encode()), (b"origin", settings.origin.encode())]
        scope = {"type": "websocket", "path": "/graphql", "query_string": b"", "headers": headers}
        async with database.transaction():
            await database.fetch("UPDATE session SET seen_at = seen_at - 300000000")
        before = await database.fetch("SELECT seen_at FROM session")
        await gate.session_actor(scope, touch=False)
        assert await database.fetch("SELECT seen_at FROM session") == before
        await gate.session_actor(scope)
        assert await database.fetch("SELECT seen_at FROM session") != before
