"""What the server under load holds: two workspaces with many keys, a gateway token and a management key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from app import catalogue, clock, database, ids
from app.access.actor import Actor, Request, Scope
from app.accounts import founding
from app.accounts import service as accounts
from app.gateways import service as gateways
from app.keys.secret import KeyClass, generate, prefix_of
from app.management import service as management
from app.management.key import Asked
from app.peppers import service as peppers
from app.rotations import service as rotations
from app.tenancy.workspace import Workspace
from app.usage import store as usage
from app.usage.counting import Tally
from tests.support.usage import use

PERMISSION: Final = "pdf.read"
_PERMISSIONS: Final = "pdf.generate pdf.read"
_AT_ONCE: Final = 250
_PASSWORD: Final = "nobody but a bench signs in here"
_SESSIONS, _CALLERS = 4, 150
# Keys with usage and callers, of which GraphQL reads a page.
_USED: Final = 200


@dataclass(frozen=True)
class Sample:
    """`keys` are API keys to ask about, every tenth of them bad: mistyped, unknown and revoked by turns.

    `watched` are addresses of rotations with many callers, each with the tokens of some sessions that may watch it.
    """

    gateway_token: str
    management_key: str
    workspace: str
    keys: list[str]
    watched: list[tuple[str, list[str]]]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def fill(keys: int, watched: int = 0) -> Sample:
    """A fresh database full of them, with so many rotations."""
    place, small = await _workspace("bench"), await _workspace("page")
    texts = [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(keys)]
    for start in range(0, keys, _AT_ONCE):
        await _add(place, texts[start : start + _AT_ONCE], start)
    await _add(small, [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(_USED)], 0)
    rows = await database.fetch("SELECT id FROM api_key WHERE workspace = {}", small.id)
    await use([row["id"] for row in rows], days=30, callers=50, every=6)
    await _revoke([texts[number] for number in range(0, keys, 30)])
    token = (await gateways.create(Actor.operator(), "bench")).secret
    asked = Asked("bench", (Scope.KEYS_READ, Scope.KEYS_WRITE, Scope.USAGE_READ), await database.now() + clock.DAY)
    _, secret = await management.create(Actor.operator(), small.slug, asked)
    runs = [await _run(f"watched{number}") for number in range(watched)]
    return Sample(token, secret, small.slug, [_spoiled(text, number) for number, text in enumerate(texts)], runs)


async def _run(name: str) -> tuple[str, list[str]]:
    """A rotation of a key with many callers, in a workspace of its own."""
    place = await _workspace(name)
    await _add(place, [generate(catalogue.current().key_prefix, KeyClass.LIVE)], 0)
    (row,) = await database.fetch("SELECT id FROM api_key WHERE workspace = {}", place.id)
    asking = Request("192.0.2.1", "bench", ids.new(ids.REQUEST))
    signed_in = [await accounts.sign_in(asking, f"{name}@keydesk.example", _PASSWORD) for _ in range(_SESSIONS)]
    await rotations.start(signed_in[0].session.actor(asking), row["id"])
    now = await database.now()
    tally = Tally()
    for number in range(_CALLERS):
        tally.meet(row["id"], (f"192.0.2.{number}", f"program-{number}"), PERMISSION, now - clock.DAY, now, 1)
    async with database.transaction():
        await usage.add(tally)
    return f"/w/{place.slug}/settings/api-keys/{row['id']}/rotation", [each.token for each in signed_in]


def _spoiled(text: str, number: int) -> str:
    """Of thirty keys in turn the first is revoked, the tenth mistyped, the twentieth unknown."""
    if number % 30 == 10:
        return text[:-1] + ("0" if text[-1] != "0" else "1")
    return generate(catalogue.current().key_prefix, KeyClass.LIVE) if number % 30 == 20 else text


async def _workspace(name: str) -> Workspace:
    _, place = await founding.create_owner(
        Actor.operator(), email=f"{name}@keydesk.example", name="Bench", password=_PASSWORD, workspace=name
    )
    async with database.transaction():
        await database.fetch("UPDATE workspace SET plan = {} WHERE id = {}", "scale_enterprise", place.id)
    return place


async def _add(place: Workspace, texts: list[str], number: int) -> None:
    """As `keys.service.create` makes them, in few statements and without an audit entry each."""
    now, pepper = await database.now(), peppers.current().current
    async with database.transaction():
        made = [ids.new(ids.API_KEY) for _ in texts]
        rows = [
            (key, place.id, f"Key {number + index}", f"key {number + index}", prefix_of(text), pepper.digest(text), pepper.version,
             "production", _PERMISSIONS, "", now + number + index, "OPERATOR", "", "Operator")
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
            await database.fetch("UPDATE api_key SET revoked_at = {} WHERE digest = {}", await database.now(), digest)
