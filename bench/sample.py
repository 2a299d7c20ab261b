"""What the server under load holds: two workspaces with many keys, a gateway token and a management key."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from app import catalogue, clock, database, ids
from app.access.actor import Actor, Scope
from app.accounts import founding
from app.gateways import service as gateways
from app.keys.secret import KeyClass, generate, prefix_of
from app.management import service as management
from app.management.key import Asked
from app.peppers import service as peppers
from app.workspaces.workspace import Workspace

PERMISSION: Final = "pdf.read"
_PERMISSIONS: Final = "pdf.generate pdf.read"
_AT_ONCE: Final = 250


@dataclass(frozen=True)
class Sample:
    """`keys` are API keys to ask about, every tenth of them bad: mistyped, unknown and revoked by turns."""

    gateway_token: str
    management_key: str
    workspace: str
    keys: list[str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def fill(keys: int) -> Sample:
    """A fresh database full of them."""
    place, small = await _workspace("bench"), await _workspace("page")
    texts = [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(keys)]
    for start in range(0, keys, _AT_ONCE):
        await _add(place, texts[start : start + _AT_ONCE], start)
    await _add(small, [generate(catalogue.current().key_prefix, KeyClass.LIVE) for _ in range(200)], 0)
    await _revoke([texts[number] for number in range(0, keys, 30)])
    token = (await gateways.create(Actor.operator(), "bench")).secret
    asked = Asked("bench", (Scope.KEYS_READ, Scope.KEYS_WRITE), await database.now() + clock.DAY)
    _, secret = await management.create(Actor.operator(), small.slug, asked)
    return Sample(token, secret, small.slug, [_spoiled(text, number) for number, text in enumerate(texts)])


def _spoiled(text: str, number: int) -> str:
    """Of thirty keys in turn the first is revoked, the tenth mistyped, the twentieth unknown."""
    if number % 30 == 10:
        return text[:-1] + ("0" if text[-1] != "0" else "1")
    return generate(catalogue.current().key_prefix, KeyClass.LIVE) if number % 30 == 20 else text


async def _workspace(name: str) -> Workspace:
    _, place = await founding.create_owner(
        Actor.operator(), email=f"{name}@keydesk.example", name="Bench", password="nobody ever signs in here", workspace=name
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
