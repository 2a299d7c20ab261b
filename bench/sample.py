"""Sample data of the server under load: two workspaces with many keys, a gateway token and a management key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from app import catalogue, clock, database, ids
from app.access.actor import Actor, Request, Scope
from app.authentication import service as authentication
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.key import API_KEY_ID
from app.keys.secret import KeyClass, generate, prefix_of
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.peppers import service as peppers
from app.rotations import service as rotations
from app.tenancy.workspace import Workspace
from app.usage import store as usage
from app.usage.counters import CounterBatch
from tests.support.usage import use

PERMISSION: Final = "pdf.read"
_PERMISSIONS: Final = "pdf.generate pdf.read"
_AT_ONCE: Final = 250
_PASSWORD: Final = "nobody but a bench signs in here"
_SESSIONS, _CALLERS = 4, 150
_MANY_CALLERS, _ENTRIES = 200, 20
# The number of keys with usage and callers, of which GraphQL reads a page.
_USED: Final = 200


@dataclass(frozen=True)
class Sample:
    """`keys` are API keys to verify; every tenth is invalid: mistyped, unknown and revoked in turn.

    `watched` contains paths of rotations with many callers, each with the tokens of sessions that may watch it.
    """

    gateway_token: str
    management_key: str
    workspace: str
    keys: list[str]
    watched: list[tuple[str, list[str]]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def fill(count: int, watched: int = 0) -> Sample:
    """Fills a new database with `count` API keys and `watched` rotations."""
    workspace, small = await _workspace("bench"), await _workspace("page")
    texts = [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(count)]
    for start in range(0, count, _AT_ONCE):
        await _add(workspace, texts[start : start + _AT_ONCE], start)
    await _add(small, [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(_USED)], 0)
    rows = await database.fetch("SELECT id FROM api_key WHERE workspace = {}", small.id)
    await use([row["id"] for row in rows], days=30, callers=50, every=6)
    await _revoke([texts[number] for number in range(0, count, 30)])
    token = (await gateway_tokens.create(Actor.operator(), "bench")).secret
    input = ManagementKeyInput("bench", (Scope.KEYS_READ, Scope.KEYS_WRITE, Scope.USAGE_READ), await database.now() + clock.DAY)
    _, secret = await management_keys.create(Actor.operator(), small.slug, input)
    runs = [await _run(f"watched{number}") for number in range(watched)]
    return Sample(token, secret, small.slug, [_spoiled(text, number) for number, text in enumerate(texts)], runs)


@dataclass(frozen=True)
class LargeWorkspace:
    """A workspace with long usage: the paths of its list of keys, of a key's page and of the overview of a year, and a session's
    token."""

    keys_path: str
    key_path: str
    overview_path: str
    session: str


async def fill_large(count: int, days: int) -> LargeWorkspace:
    """Adds a workspace of `count` keys, each with usage in every hour of `days` days and 200 callers. The key of `key_path` also
    has as many entries in the audit log as its page shows."""
    workspace = await _workspace("large")
    await _add(workspace, [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(count)], 0)
    rows = await database.fetch("SELECT id FROM api_key WHERE workspace = {} ORDER BY created_at", workspace.id)
    for row in rows:
        # A transaction each, because PostgreSQL keeps every version of a counter until the commit.
        await use([row["id"]], days=days, callers=_MANY_CALLERS)
    async with database.transaction():
        await database.fetch("UPDATE key_last_used SET last_used_at = {}, last_used_ip = '192.0.2.9'", await database.now())
    for _ in range(_ENTRIES // 2):
        await keys.suspend(Actor.operator(), rows[0]["id"])
        await keys.resume(Actor.operator(), rows[0]["id"])
    signed_in = await authentication.sign_in(_request(), "large@keydesk.example", _PASSWORD)
    path = f"/w/{workspace.slug}/settings/api-keys"
    return LargeWorkspace(path, f"{path}/{rows[0]['id']}", f"/w/{workspace.slug}?range=1y", signed_in.token)


def _request() -> Request:
    return Request("192.0.2.1", "bench", ids.new(ids.REQUEST))


async def _run(name: str) -> tuple[str, list[str]]:
    """Starts a rotation of a key with many callers, in a separate workspace."""
    workspace = await _workspace(name)
    await _add(workspace, [generate(catalogue.current().key_prefix, KeyClass.LIVE)], 0)
    (row,) = await database.fetch("SELECT id FROM api_key WHERE workspace = {}", workspace.id)
    asking = _request()
    signed_in = [await authentication.sign_in(asking, f"{name}@keydesk.example", _PASSWORD) for _ in range(_SESSIONS)]
    await rotations.start(signed_in[0].session.actor(asking), row["id"])
    now = await database.now()
    tally = CounterBatch()
    for number in range(_CALLERS):
        tally.add_caller(row["id"], (f"192.0.2.{number}", f"program-{number}"), PERMISSION, now - clock.DAY, now, 1)
    async with database.transaction():
        await usage.add(tally)
    return f"/w/{workspace.slug}/settings/api-keys/{row['id']}/rotation", [each.token for each in signed_in]


def _spoiled(text: str, number: int) -> str:
    """Of every thirty keys the first is revoked, the eleventh mistyped, the twenty-first unknown."""
    if number % 30 == 10:
        return text[:-1] + ("0" if text[-1] != "0" else "1")
    return generate(catalogue.current().key_prefix, KeyClass.LIVE) if number % 30 == 20 else text


async def _workspace(name: str) -> Workspace:
    _, workspace = await authentication.create_owner(
        Actor.operator(), email=f"{name}@keydesk.example", name="Bench", password=_PASSWORD, workspace=name
    )
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = {} WHERE id = {}", "scale_enterprise", workspace.id)
    return workspace


async def _add(workspace: Workspace, texts: list[str], number: int) -> None:
    """Adds keys as `keys.service.create` does, but in few statements and without audit entries."""
    now, pepper = await database.now(), peppers.current().current
    async with database.transaction():
        made = [ids.new(API_KEY_ID) for _ in texts]
        rows = [
            (key, workspace.id, f"Key {number + index}", f"key {number + index}", prefix_of(text), pepper.digest(text),
             pepper.version, "production", _PERMISSIONS, "", now + number + index, "OPERATOR", "", "Operator")
            for index, (key, text) in enumerate(zip(made, texts, strict=True))
        ]  # fmt: skip
        columns = (
            "id, workspace, name, name_key, prefix, digest, pepper_version, environment, permissions, allowed_ips,"
            " created_at, created_by_kind, created_by_id, created_by_name"
        )
        await _insert("api_key", columns, rows)
        await _insert("key_last_used", "key", [(key,) for key in made])


async def _insert(table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    row = "(" + ", ".join("{}" for _ in rows[0]) + ")"
    values = [value for each in rows for value in each]
    await database.fetch(f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * len(rows))}", *values)


async def _revoke(texts: list[str]) -> None:
    async with database.transaction():
        for text in texts:
            digest = peppers.current().current.digest(text)
            await database.fetch(
                "UPDATE api_key SET revoked_at = {}, revoked_by_kind = 'OPERATOR', revoked_by_id = '',"
                " revoked_by_name = 'Operator', revocation_reason = 'NO_LONGER_NEEDED', revocation_note = '' WHERE digest = {}",
                await database.now(),
                digest,
            )
