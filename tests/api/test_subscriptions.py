"""Subscriptions as server-sent events, by the published operations: what is sent, resumed, refused and paid for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from graphql import get_named_type, is_composite_type

from app import database, live
from app.access.actor import Actor, Scope
from app.access.policy import RULES
from app.api.execution.http import Refused
from app.api.execution.rate import CALLER, LEAST, Rates, SpentPoints
from app.api.framework import events
from app.api.schema import ACTIONS, core
from app.errors import NotAuthenticated
from app.management_keys import service as management_keys
from app.members import service as members
from app.metrics import STREAMS
from app.rotations import service as rotations
from app.rotations.rotation import Progress
from tests.api.conftest import operator_program, program
from tests.conftest import Team, make_key
from tests.support.alerts import raise_alert
from tests.support.callers import use
from tests.support.graphql import Client, operation
from tests.support.subscriptions import Stream, published, stream
from tests.support.usage import logged

USED = "keys/used"
CHANGED = "rotations/changed"
RAISED = "alerts/raised"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls and signs of life come fast."""
    monkeypatch.setattr(live, "TICK_SECONDS", 0.01)
    monkeypatch.setattr(events, "CHECK_SECONDS", 0.05)


async def counted(key_id: str, *outcomes: str) -> None:
    """Requests of a key that are counted, as within half a second on a node."""
    for outcome in outcomes:
        await logged(key_id, outcome)
    await database.settle()


async def alive(told: Stream, times: int = 3) -> None:
    """Nothing but so many signs of life."""
    for _ in range(times):
        assert await told.event() == {"": ""}


async def started(team: Team) -> Progress:
    return (await rotations.start(team.owner, (await make_key(team)).key.id)).progress


class TestUse:
    async def test_the_events_of_a_key_add_up_to_its_requests(self, team: Team, viewer: Client) -> None:
        key = (await make_key(team)).key
        await counted(key.id, "VALID")
        async with published(viewer, "keys/used", id=key.id) as told:
            first = await told.data()
            assert (first["requests"], first["totalRequests"]) == (0, 1)
            await counted(key.id, "VALID", "VALID", "EXPIRED")
            event = await told.data()
            assert [event[name] for name in ("requests", "successfulRequests", "failedRequests", "totalRequests")] == [3, 2, 1, 4]
            assert event["lastUsedAt"] > first["lastUsedAt"]
            await alive(told)

    async def test_a_stream_is_resumed_where_it_was_interrupted_and_counts_what_came_meanwhile(
        self, team: Team, owner: Client, viewer: Client
    ) -> None:
        key = (await make_key(team)).key
        async with published(owner, USED, id=key.id) as told:
            cursor = (await told.data())["cursor"]
            assert told.ids == [cursor]
        await counted(key.id, "VALID", "EXPIRED")
        # Another node is another endpoint, and the next process: nothing is remembered but the cursor.
        async with published(viewer, USED, id=key.id, after=cursor) as told:
            event = await told.data()
            assert (event["requests"], event["totalRequests"]) == (2, 2)
            later = event["cursor"]
        async with published(viewer, USED, id=key.id, after=later) as told:
            await alive(told)
        # A client that sends both was interrupted after it had resumed once.
        async with published(viewer, USED, id=key.id, after=cursor, last_event_id=later) as told:
            await alive(told)

    async def test_polls_do_not_make_the_node_count(self, team: Team, viewer: Client) -> None:
        key = (await make_key(team)).key
        async with published(viewer, USED, id=key.id) as told:
            await told.data()
            await logged(key.id)
            await alive(told)
            assert [row["n"] for row in await database.fetch("SELECT count(*) AS n FROM usage_log")] == [1]
            await database.settle()
            assert (await told.data())["requests"] == 1

    async def test_one_poll_serves_all_subscribers_of_a_key(self, team: Team, owner: Client) -> None:
        key = (await make_key(team)).key
        async with contextlib.AsyncExitStack() as opened:
            streams = [await opened.enter_async_context(published(owner, USED, id=key.id)) for _ in range(8)]
            for told in streams:
                await told.data()
            topic = owner.endpoint._live._topics[f"use {key.id}"]
            assert topic.watchers == 8 and len(owner.endpoint._live._topics) == 1
            await counted(key.id, "VALID")
            assert [(await told.data())["requests"] for told in streams] == [1] * 8
        assert not owner.endpoint._live._topics and not owner.endpoint._live._open

    async def test_a_client_that_reads_nothing_makes_the_node_keep_one_event(self, team: Team, owner: Client) -> None:
        key = (await make_key(team)).key
        async with stream(owner, operation(USED), {"id": key.id}, room=1) as told:
            assert (await told.data())["requests"] == 0
            topic = owner.endpoint._live._topics[f"use {key.id}"]
            for number in range(1, 6):
                await counted(key.id, "VALID")
                while topic.snapshot.counts.total < number:
                    await asyncio.sleep(0.01)
            found: list[int] = []
            while sum(found) < 5:
                found.append((await told.data())["requests"])
            # Two were on their way, all others are one.
            assert len(found) <= 3


class TestRotation:
    async def test_a_change_is_an_event_and_another_request_is_not(self, team: Team, viewer: Client) -> None:
        run = await started(team)
        async with published(viewer, "rotations/changed", id=run.rotation.id) as told:
            assert (await told.data())["rotation"]["state"] == "ISSUED"
            await use(run.successor.id)
            event = await told.data()
            assert event["rotation"]["state"] == "READY" or event["rotation"]["state"] == "IN_USE"
            await use(run.successor.id)
            await alive(told)
            await rotations.cancel(team.owner, run.rotation.id, force=True)
            event = await told.data()
            assert event["rotation"]["state"] == "CANCELLED"
            assert await told.next() is None and told.completed
        async with published(viewer, CHANGED, id=run.rotation.id, after=event["cursor"]) as told:
            assert await told.next() is None and told.completed

    async def test_a_stream_is_resumed_with_the_state_if_it_differs(self, team: Team, viewer: Client) -> None:
        run = await started(team)
        async with published(viewer, CHANGED, id=run.rotation.id) as told:
            cursor = (await told.data())["cursor"]
        async with published(viewer, CHANGED, id=run.rotation.id, after=cursor) as told:
            await alive(told)
        await rotations.cancel(team.owner, run.rotation.id)
        async with published(viewer, CHANGED, id=run.rotation.id, after=cursor) as told:
            assert (await told.data())["rotation"]["state"] == "CANCELLED"


class TestAlerts:
    async def test_every_alert_is_sent_once_in_order_also_those_raised_while_nobody_listened(
        self, team: Team, viewer: Client
    ) -> None:
        names = [(await make_key(team, f"Key {number}")).key for number in range(4)]
        async with published(viewer, "alerts/raised", workspace=team.slug) as told:
            first = await told.data()
            assert first["alert"] is None
            ids = [await raise_alert(key) for key in names[:2]]
            events = [await told.data() for _ in range(2)]
            assert [event["alert"]["id"] for event in events] == ids
            await alive(told)
        ids += [await raise_alert(key) for key in names[2:]]
        async with published(viewer, RAISED, after=events[0]["cursor"]) as told:
            assert [(await told.data())["alert"]["id"] for _ in range(3)] == ids[1:]
            await alive(told)
        async with published(viewer, RAISED, last_event_id=first["cursor"]) as told:
            assert [(await told.data())["alert"]["id"] for _ in range(4)] == ids

    async def test_it_can_be_resumed_from_the_list_of_alerts(self, team: Team, viewer: Client) -> None:
        keys = [(await make_key(team, f"Key {number}")).key for number in range(2)]
        await raise_alert(keys[0])
        page = await viewer.ask("{ workspace { alerts(first: 1) { pageInfo { startCursor } } } }")
        alert = await raise_alert(keys[1])
        async with published(viewer, RAISED, after=page["workspace"]["alerts"]["pageInfo"]["startCursor"]) as told:
            assert (await told.data())["alert"]["id"] == alert

    async def test_alerts_of_another_workspace_are_not_sent(self, team: Team, other_team: Team, viewer: Client) -> None:
        async with published(viewer, RAISED) as told:
            await told.data()
            await raise_alert((await make_key(other_team)).key)
            alert = await raise_alert((await make_key(team)).key)
            assert (await told.data())["alert"]["id"] == alert


class TestAccess:
    @pytest.mark.parametrize("name", [USED, CHANGED, RAISED])
    async def test_a_member_who_was_removed_gets_no_further_event(self, team: Team, viewer: Client, name: str) -> None:
        run = await started(team)
        given = {USED: {"id": run.successor.id}, CHANGED: {"id": run.rotation.id}, RAISED: {"workspace": team.slug}}[name]
        async with published(viewer, name, **given) as told:
            await told.data()
            recent = replace(team.owner, authenticated_at=await database.now())
            await members.remove(recent, team.slug, team.viewer.id)
            assert await told.error() == "NOT_FOUND"

    async def test_a_revoked_management_key_ends_its_streams_without_completing_them(self, team: Team) -> None:
        key, caller = (await make_key(team)).key, await program(team.owner, team.slug, "usage.read")
        async with published(caller, USED, id=key.id) as told:
            await told.data()
            (found,) = (await caller.ask("{ viewer { managementKey { id } } }")).values()
            await management_keys.revoke(team.owner, found["managementKey"]["id"])
            assert await told.next() is None and not told.completed

    async def test_a_session_that_has_ended_ends_its_streams(self, team: Team, viewer: Client) -> None:
        key = (await make_key(team)).key
        async with published(viewer, USED, id=key.id) as told:
            await told.data()
            viewer.actor = None
            assert await told.next() is None and not told.completed
        with pytest.raises(NotAuthenticated):
            await viewer._session({})

    @pytest.mark.parametrize("scope", list(Scope))
    async def test_a_management_key_gets_only_what_its_scope_allows(self, team: Team, scope: Scope) -> None:
        caller = await program(team.owner, team.slug, scope)
        run = await started(team)
        given = {"apiKeyUsed": f'(id: "{run.successor.id}")', "rotationChanged": f'(id: "{run.rotation.id}")', "alertRaised": ""}
        schema, checked = core(), 0
        for name, field in schema.subscription_type.fields.items():
            kind = get_named_type(field.type)
            for part, inner in kind.fields.items():
                caller.endpoint.operations._rates = Rates()
                shown = part + (" { __typename }" if is_composite_type(get_named_type(inner.type)) else "")
                needed = {ACTIONS[f"Subscription.{name}"], ACTIONS[f"{kind.name}.{part}"]}
                allowed = {RULES[action].scope for action in needed if action} <= scope.implied
                async with stream(caller, f"subscription {{ {name}{given[name]} {{ {shown} }} }}") as told:
                    if allowed:
                        await told.data()
                    else:
                        assert await told.error() == "NOT_ALLOWED"
                checked += 1
        assert checked == 11

    async def test_an_operator_key_gets_nothing_that_belongs_to_a_workspace(self, team: Team) -> None:
        caller, run = await operator_program("workspaces.read", "workspaces.write"), await started(team)
        for name, given in (
            (USED, {"id": run.successor.id}),
            (CHANGED, {"id": run.rotation.id}),
            (RAISED, {"workspace": team.slug}),
        ):
            async with published(caller, name, **given) as told:
                assert await told.error() == "NOT_ALLOWED"

    async def test_a_cursor_of_another_stream_is_refused(self, team: Team, viewer: Client) -> None:
        one, other = (await make_key(team)).key, (await make_key(team, "Other")).key
        async with published(viewer, USED, id=one.id) as told:
            cursor = (await told.data())["cursor"]
        for after in (cursor, "nonsense", ""):
            async with published(viewer, USED, id=other.id, after=after) as told:
                assert await told.error() == "BAD_USER_INPUT"
            async with published(viewer, RAISED, after=after) as told:
                assert await told.error() == "BAD_USER_INPUT"


class TestLimits:
    @pytest.mark.parametrize("limit", ["MOST_OF_CALLER", "MOST_OF_WORKSPACE", "MOST"])
    async def test_the_number_of_subscriptions_is_limited(
        self, team: Team, other_team: Team, owner: Client, limit: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, limit, 2)
        other, stranger = Client(team.editor), Client(other_team.owner)
        other.endpoint = stranger.endpoint = owner.endpoint
        owner.endpoint._session_actor = actor_in_header(team, other_team)
        async with contextlib.AsyncExitStack() as opened:
            for _ in range(2):
                await (await opened.enter_async_context(subscribed(owner, "owner"))).data()
            async with subscribed(owner, "owner") as told:
                assert await told.error() == "TOO_MANY_SUBSCRIPTIONS"
            for who, is_refused in (("editor", limit != "MOST_OF_CALLER"), ("stranger", limit == "MOST")):
                async with subscribed(owner, who) as told:
                    if is_refused:
                        assert await told.error() == "TOO_MANY_SUBSCRIPTIONS"
                    else:
                        await told.data()
        async with subscribed(owner, "owner") as told:
            await told.data()

    async def test_a_subscription_is_refused_where_its_answer_would_be_one_object(self, team: Team, viewer: Client) -> None:
        answer = await viewer.send(operation(RAISED))
        assert answer.status_code == 406 and answer.json()["errors"][0]["extensions"]["code"] == "NOT_ACCEPTABLE"
        # As urql sends it, for all operations.
        both = "application/graphql-response+json, application/json, text/event-stream, multipart/mixed"
        assert (await viewer.send("{ viewer { kind } }", accept=both)).json()["data"] == {"viewer": {"kind": "USER"}}
        async with stream(viewer, operation(RAISED), accept=both) as told:
            assert (await told.data())["alert"] is None

    async def test_a_query_can_be_answered_as_a_stream(self, team: Team, viewer: Client) -> None:
        async with stream(viewer, "{ viewer { kind } }") as told:
            assert await told.data() == {"kind": "USER"}
            assert await told.next() is None and told.completed
            assert "ratelimit" in told.headers

    async def test_a_document_that_is_refused_is_answered_as_a_stream(self, team: Team, viewer: Client) -> None:
        for query, code in (
            ("subscription { alertRaised { cursor } apiKeyUsed(id: 1) { cursor } }", "BAD_USER_INPUT"),
            ("subscription { nothing }", "BAD_USER_INPUT"),
            ("subscription($id: ID!) { apiKeyUsed(id: $id) { cursor } }", "BAD_USER_INPUT"),
            ("subscription {", "GRAPHQL_PARSE_FAILED"),
            ("subscription { alertRaised { alert { apiKey { alerts(first: 100) { nodes { apiKey { requests(first: 100) { nodes "
             "{ id } } } } } } } } }", "LIMIT_EXCEEDED"),
        ):  # fmt: skip
            async with stream(viewer, query) as told:
                assert await told.error() == code, query

    async def test_each_event_costs_points_and_waits_until_its_reader_has_them(self, team: Team, viewer: Client) -> None:
        key, clock = (await make_key(team)).key, [0.0]
        rates = viewer.endpoint.operations._rates = Rates(lambda: clock[0])
        async with published(viewer, USED, id=key.id) as told:
            found = await told.next()
            assert found is not None
            cost = found["extensions"]["cost"]["requested"]
            assert cost > 100
            rates.charge(team.viewer, CALLER.size)
            waits = refusal_of(rates)
            await counted(key.id, "VALID")
            coming = asyncio.create_task(told.data())
            await waits.wait()
            assert not coming.done()
            clock[0] += 60
            assert (await coming)["requests"] == 1

    async def test_what_never_begins_costs_points_too(self, team: Team, viewer: Client) -> None:
        # From then on the document is known.
        assert (await viewer.send(operation(USED), {"id": "key_nothing"})).status_code == 406
        viewer.endpoint.operations._rates = Rates(lambda: 0.0)
        viewer.endpoint.operations._rates.charge(team.viewer, CALLER.size - LEAST)
        async with published(viewer, USED, id="key_nothing") as told:
            assert await told.error() == "NOT_FOUND"
        async with stream(viewer, operation(USED), {"id": "key_nothing"}) as told:
            assert told.status == 429

    async def test_open_streams_are_metrics(self, team: Team, viewer: Client) -> None:
        before = STREAMS.labels("subscription")._value.get()
        async with published(viewer, RAISED) as told:
            await told.data()
            assert STREAMS.labels("subscription")._value.get() == before + 1
        assert STREAMS.labels("subscription")._value.get() == before

    async def test_who_loses_access_while_an_event_waits_does_not_get_it(self, team: Team, viewer: Client) -> None:
        key, clock = (await make_key(team)).key, [0.0]
        rates = viewer.endpoint.operations._rates = Rates(lambda: clock[0])
        async with published(viewer, USED, id=key.id) as told:
            await told.data()
            rates.charge(team.viewer, CALLER.size)
            waits = refusal_of(rates)
            await counted(key.id, "VALID")
            coming = asyncio.create_task(told.error())
            await waits.wait()
            recent = replace(team.owner, authenticated_at=await database.now())
            await members.remove(recent, team.slug, team.viewer.id)
            clock[0] += 60
            assert await coming == "NOT_FOUND"

    async def test_sessions_subscribe_to_published_documents_only_where_the_operator_wants_it(self, team: Team) -> None:
        client = Client(team.viewer, trusted_only=True)
        async with published(client, RAISED) as told:
            await told.data()
        async with stream(client, "subscription { alertRaised { cursor } }") as told:
            assert told.status == 403

    async def test_all_streams_end_with_the_node(self, team: Team, viewer: Client) -> None:
        async with published(viewer, RAISED) as told:
            await told.data()
            viewer.endpoint._live.stopping.set()
            assert await told.next() is None and not told.completed


@contextlib.asynccontextmanager
async def subscribed(client: Client, who: str) -> AsyncIterator[Stream]:
    async with stream(client, operation(RAISED), x_who=who) as told:
        yield told


def refusal_of(rates: Rates) -> asyncio.Event:
    """Is set once somebody cannot pay."""
    found, spend = asyncio.Event(), rates.spend

    def noting(actor: Actor, cost: int) -> SpentPoints:
        try:
            return spend(actor, cost)
        except Refused:
            found.set()
            raise

    rates.spend = noting  # type: ignore[method-assign]
    return found


def actor_in_header(team: Team, other_team: Team) -> Any:
    actors = {"owner": team.owner, "editor": team.editor, "stranger": other_team.owner}

    async def actor(scope: Any, *, touch: bool = True) -> Any:
        return actors[dict(scope["headers"])[b"x-who"].decode()]

    return actor
