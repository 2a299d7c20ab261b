"""Callers of the API: members with a session, programs with a management key or an operator key."""

from __future__ import annotations

import pytest

from app import database
from app.access.actor import Actor
from app.clock import DAY
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.operator_keys import service as operator_keys
from tests.conftest import Team
from tests.support.graphql import Client


@pytest.fixture
def owner(team: Team) -> Client:
    return Client(team.owner)


@pytest.fixture
def editor(team: Team) -> Client:
    return Client(team.editor)


@pytest.fixture
def viewer(team: Team) -> Client:
    return Client(team.viewer)


@pytest.fixture
def stranger(other_team: Team) -> Client:
    """The owner of another workspace."""
    return Client(other_team.owner)


async def program(maker: Actor, slug: str, *scopes: str, days: int = 30) -> Client:
    """A client with a management key created by this actor."""
    asked = ManagementKeyInput("CI", scopes, await database.now() + days * DAY)
    return Client(token=(await management_keys.create(maker, slug, asked))[1])


async def operator_program(*scopes: str, days: int = 30) -> Client:
    """A client with an operator key."""
    asked = ManagementKeyInput("Billing", scopes, await database.now() + days * DAY)
    return Client(token=(await operator_keys.create(Actor.operator(), asked))[1])
