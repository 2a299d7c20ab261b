"""A page costs the database the same number of statements however many keys are on it."""

from __future__ import annotations

from app import database
from app.api.execution.cost import BUDGET
from app.api.execution.documents import Documents
from app.api.schema import core
from app.clock import DAY, rfc3339
from app.keys import service as keys
from app.keys.key import Reason
from tests.api.conftest import program
from tests.conftest import Team, make_key, make_team
from tests.support.graphql import Client
from tests.support.statements import counted

EVERYTHING = """
query Everything($first: Int!, $since: DateTime) {
  viewer { kind user { id } workspaces { id slug viewerRole } }
  workspace {
    id name slug timezone createdAt plan { name title } apiKeyLimit { limit used remaining }
    apiKeys(first: $first) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes {
        id name prefix status allowedIps createdAt expiresAt suspendedAt lastUsedAt lastUsedIp rotateBy rotationDue
        environment { name title prefix rotateEveryDays mustExpire maxLifetimeDays inCatalogue }
        permissions { name description inCatalogue }
        createdBy { kind actorId name }
        revokedAt revokedBy { kind actorId name } revocationReason revocationNote
        usage(since: $since) {
          totalRequests successfulRequests failedRequests lastUsedAt
          series { at total successful failed }
          byPermission { permission total successful failed }
          byOutcome { outcome total }
        }
        unusedPermissions { name description inCatalogue }
      }
    }
  }
}
"""


async def test_a_page_of_60_keys_with_everything_takes_as_many_statements_as_one_of_5(db: None) -> None:
    team = await make_team(plan="scale_enterprise")
    made = [await make_key(team, f"Key {number}") for number in range(100)]
    for number in range(0, 100, 10):
        await keys.revoke(team.owner, made[number].key.id, Reason.OTHER, "a note")
    owner, since = Client(team.owner), rfc3339(await database.now() - 29 * DAY)
    spent = []
    for first in (5, 60):
        with counted() as statements:
            found = await owner.ask(EVERYTHING, first=first, since=since)
        nodes = found["workspace"]["apiKeys"]["nodes"]
        assert len(nodes) == first and len(nodes[0]["usage"]["series"]) == 30
        spent.append(len(statements))
    assert spent[0] == spent[1] <= 20


async def test_that_page_is_within_the_maximum_cost(db: None) -> None:
    documents, since = Documents(core()), rfc3339(await database.now() - 29 * DAY)
    document = documents.prepare(EVERYTHING)
    assert not document.errors
    cost = documents.cost_of(document, document.operation(None), {"first": 60, "since": since}).cost
    assert 0.8 * BUDGET < cost <= BUDGET


async def test_lists_of_members_and_management_keys_cost_the_same_however_long_they_are(team: Team) -> None:
    query = (
        "{workspace{managementKeys(first:100){totalCount nodes{id status maker{name}}} auditEvents(first:100){nodes{actor{name}}}}}"
    )
    owner, spent = Client(team.owner), []
    for more in (1, 20):
        for _ in range(more):
            await program(team.owner, team.slug, "keys.read")
        with counted() as statements:
            await owner.ask(query)
        spent.append(len(statements))
    assert spent[0] == spent[1]


async def test_neither_a_page_nor_a_new_key_asks_twice_for_the_time_or_the_workspace(team: Team) -> None:
    client = await program(team.owner, team.slug, "keys.write")
    wanted = {"name": "CI", "environment": "production", "permissions": ["pdf.read"]}
    await client.change("keys/create", **wanted)
    with counted() as statements:
        await client.ask("{ workspace { apiKeys { nodes { id status } } } }")
    assert len(statements) == 3, statements  # the management key, the workspace with the role, the page
    with counted() as statements:
        await client.change("keys/create", **wanted)
    # The management key, the lock, the role, the count for the plan; the key, its last use, its entry, the head of the chain.
    assert len(statements) == 8, statements
