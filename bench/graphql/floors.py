"""Floors: the least that two GraphQL operations cost with Strawberry, as routes of the server under load.

- A page: a document that was parsed before, executed by Strawberry's own executor over the schema's types, with values that are
  ready.
- A creation: the mutation's own input and result types, executed in the same way. Its resolver runs what a creation cannot avoid,
  straight on the driver's connection and in one transaction: find the management key, lock the workspace, count its keys for the
  plan's limit, insert the key, the row of its last use and its audit entry, and move the head of the audit chain. It generates the
  ids and the secret, and computes the digests of both secrets, that for the search after a leak, and the MAC of the entry.

Neither reads headers, checks access, validates, limits anything, or takes turns with verification.
"""

from __future__ import annotations

import hmac
import json
import time
from typing import Any, Final

import msgspec
import strawberry
from graphql import DocumentNode, ExecutionResult, execute, parse
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from app import catalogue, database, ids
from app.access.actor import Actor, ActorKind, ActorRef, Request
from app.api.errors import HANDLERS
from app.api.framework.connection import Connection, count_of, page
from app.api.framework.scalars import SCALARS
from app.api.key_mutations import CreateApiKeyInput, CreateApiKeyPayload, CreateApiKeyResult
from app.api.key_types import ApiKey
from app.asgi import Receive, Scope, Send, send_content
from app.audit.entry import AUDIT_ENTRY_ID, Entry
from app.bodies import read_body
from app.keys import leak_digest
from app.keys import service as keys
from app.keys.key import API_KEY_ID
from app.keys.key import ApiKey as Key
from app.keys.secret import generate, prefix_of
from app.paging import Window
from app.peppers import service as peppers
from app.tenancy import service as tenancy
from bench.sample import Sample

PREFIX: Final = "/floor/"
FIELDS: Final = "id name prefix status environment { name } permissions { name } createdAt expiresAt lastUsedAt rotateBy"
CREATE: Final = """mutation Create($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeyPayload { secret apiKey { id prefix } } ... on Problem { code message } } }"""
# The name of the keys that the benchmark makes. They are deleted before each measurement: every creation counts all keys.
MADE: Final = "Made by the benchmark"


@strawberry.type
class Query:
    @strawberry.field
    def api_keys(self, info: strawberry.Info) -> Connection[ApiKey]:
        return info.context.page


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def create_api_key(self, info: strawberry.Info, input: CreateApiKeyInput) -> CreateApiKeyResult | None:
        key, secret = await info.context.create(input)
        return CreateApiKeyPayload(api_key=ApiKey.of(key, key.created_at), secret=secret)


class Floors:
    """The routes, for the sample's workspace and management key."""

    def __init__(self, sample: Sample, ready: Connection[ApiKey]) -> None:
        config = StrawberryConfig(scalar_map=SCALARS)
        self._schema = strawberry.Schema(Query, Mutation, config=config, exception_handlers=HANDLERS)._schema
        self._documents = {"page": parse(f"{{ apiKeys {{ nodes {{ {FIELDS} }} }} }}"), "create": parse(CREATE)}
        self._token, self.page = sample.management_key, ready

    @classmethod
    async def of(cls, sample: Sample) -> Floors:
        access = await tenancy.seen(Actor.operator(), sample.workspace)
        found = await keys.page(access, Window(100), descending=False)
        nodes = page("", found, node=lambda key: ApiKey.of(key, access.now), position=lambda key: (), count=count_of(found.items))
        return cls(sample, nodes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].removeprefix(PREFIX)
        content: dict[str, Any] = {}
        if name == "forget":
            await _forget()
        else:
            variables = msgspec.json.decode(await read_body(receive, None, 1 << 16))["variables"]
            result = await self._executed(self._documents[name], variables)
            content = {"errors": [error.formatted for error in result.errors]} if result.errors else {"data": result.data}
        await send_content(send, 200, b"application/json", msgspec.json.encode(content))

    async def _executed(self, document: DocumentNode, variables: dict[str, Any]) -> ExecutionResult:
        result = execute(
            self._schema,
            document,
            context_value=self,
            variable_values=variables,
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]
            executor_class=StrawberryGraphQLCoreExecutionContext,
        )
        return result if isinstance(result, ExecutionResult) else await result

    async def create(self, input: CreateApiKeyInput) -> tuple[Key, str]:
        """The new key and its secret."""
        pepper, secret = peppers.current().current, generate(catalogue.current().key_prefix, "live")
        async with database.transaction():
            (program,) = await _run("SELECT * FROM management_key WHERE digest = {}", pepper.digest(self._token))
            (workspace,) = await _run("UPDATE workspace SET revision = revision + 1 WHERE slug = {} RETURNING *", input.workspace)
            chain_key = peppers.current().unwrap(workspace["audit_key"], workspace["id"])
            leaked = leak_digest.keyed(hmac.digest(chain_key, b"keydesk purpose", "sha256"), leak_digest.sha256_of(secret))
            key = _key(input, workspace["id"], secret, ActorRef(ActorKind.MANAGEMENT_KEY, program["id"], program["name"]))
            await _run(
                "SELECT count(*) AS living FROM api_key WHERE workspace = {} AND revoked_at IS NULL"
                " AND (expires_at IS NULL OR expires_at > {})",
                *(workspace["id"], key.created_at),
            )
            await _insert("api_key", _key_row(key, pepper.digest(secret), pepper.version) | {"leak_digest": leaked})
            await _insert("key_last_used", {"key": key.id})
            entry = _entry(key, workspace)
            mac = entry.expected_mac(workspace["audit_head"], chain_key)
            await _insert("audit_entry", _entry_row(entry, mac))
            await _run(
                "UPDATE workspace SET audit_length = {}, audit_head = {} WHERE id = {}", entry.position, mac, workspace["id"]
            )
        return key, secret


def _key(input: CreateApiKeyInput, workspace_id: str, secret: str, by: ActorRef) -> Key:
    return Key(
        name=input.name,
        environment=input.environment,
        permissions=tuple(input.permissions),
        id=ids.new(API_KEY_ID),
        workspace_id=workspace_id,
        prefix=prefix_of(secret),
        created_at=time.time_ns() // 1000,
        created_by=by,
        suspended_at=None,
        revocation=None,
        last_used_at=None,
        last_used_ip=None,
    )


def _key_row(key: Key, digest: bytes, pepper_version: int) -> dict[str, Any]:
    return {
        "id": key.id,
        "workspace": key.workspace_id,
        "name": key.name,
        "name_key": key.name,
        "prefix": key.prefix,
        "digest": digest,
        "pepper_version": pepper_version,
        "environment": key.environment,
        "permissions": " ".join(key.permissions),
        "allowed_ips": "",
        "labels": "",
        "created_at": key.created_at,
        "created_by_kind": str(key.created_by.kind),
        "created_by_id": key.created_by.id,
        "created_by_name": key.created_by.name,
    }


def _entry(key: Key, workspace: Any) -> Entry:
    position, request = workspace["audit_length"] + 1, Request(request_id=ids.new(ids.REQUEST))
    detail = {"prefix": key.prefix, **key.detail()}
    return Entry(
        ids.new(AUDIT_ENTRY_ID), key.workspace_id, position, key.created_at, key.created_by, "key.created", key.id, detail, request
    )


def _entry_row(entry: Entry, mac: bytes) -> dict[str, Any]:
    return {
        "id": entry.id,
        "chain": entry.chain,
        "position": entry.position,
        "at": entry.at,
        "actor_kind": str(entry.actor.kind),
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "action": entry.action,
        "target": entry.target,
        "detail": json.dumps(entry.detail),
        "address": entry.request.address,
        "user_agent": entry.request.user_agent,
        "request_id": entry.request.request_id,
        "mac": mac,
    }


async def _insert(table: str, row: dict[str, Any]) -> None:
    await _run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('{}' for _ in row)})", *row.values())


async def _run(template: str, *arguments: Any) -> Any:
    """The rows of a statement, by the driver's connection that the transaction holds; `{}` stands for an argument."""
    connection: Any = database.engine().current_transaction.get().connection
    if database.is_sqlite():
        return await connection.execute_fetchall(template.replace("{}", "?"), arguments)
    return await connection.fetch(template.format(*(f"${number}" for number, _ in enumerate(arguments, 1))), *arguments)


async def _forget() -> None:
    async with database.transaction():
        await _run("DELETE FROM key_last_used WHERE key IN (SELECT id FROM api_key WHERE name = {})", MADE)
        await _run("DELETE FROM api_key WHERE name = {}", MADE)
