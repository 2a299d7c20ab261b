"""Checks of the database: its contents, and whether it still meets the guarantees that depend on it."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from typing import Final

from app import catalogue, clock, database, replay
from app.access.actor import Actor
from app.audit import service as audit
from app.audit import store as audit_store
from app.catalogue import Catalogue
from app.database.diagnostics import damage, facts, newest_instants
from app.database.hot_sqlite import LOG_MEGABYTES
from app.database.migrate import known_migrations
from app.doctor.audit_checks import of_audit_log
from app.doctor.finding import Finding, fail, judged, ok, warn
from app.doctor.outbox_checks import of_outbox
from app.gateway_tokens import store as gateway_store
from app.journal import file as journal
from app.keys import store as key_store
from app.management_keys import store as management_store
from app.operator_keys import store as operator_store
from app.paths import DEFAULT_CATALOGUE
from app.peppers import service as peppers
from app.plans import service as plans
from app.plans.plan import Meter
from app.settings import Settings
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import SYSTEM_CHAIN
from app.usage import caller_store

_WANTED: Final = {
    "journal_mode": "wal",
    "synchronous": "2",
    "foreign_keys": "1",
    "fsync": "on",
    "full_page_writes": "on",
    "replica": "no",
}
_TOLERATED: Final = 2 * clock.SECOND
_TOO_FAR: Final = clock.MINUTE


async def of_database(actor: Actor, settings: Settings) -> list[Finding]:
    """One finding per check of the database. Raises Unavailable."""
    return [
        *await _engine(settings),
        *_room(settings),
        ok("migrations", f"all {len(known_migrations())} migrations are applied"),
        *await _peppers(),
        *await _journal(),
        *await of_audit_log(actor),
        *await _limits(actor, settings),
        *await _leavers(catalogue.current()),
        *await _people_and_gateways(settings),
        *await _addresses(),
        *await _clock(),
        *await of_outbox(),
    ]


async def _engine(settings: Settings) -> list[Finding]:
    """The engine, and whether a confirmed commit survives a power failure."""
    found = await facts()
    kind = f"SQLite, {settings.sqlite_path}" if database.is_sqlite() else f"PostgreSQL {found['version']}"
    findings = [ok("database", kind)]
    findings += [
        judged(found[name] == wanted, "database", f"{name} is {found[name]}", f"should be {wanted}")
        for name, wanted in _WANTED.items()
        if name in found
    ]
    findings += [_connection(found["connection"]), _commits(found["synchronous_commit"])] if "connection" in found else []
    return findings + [fail("database", f"the file is damaged: {line}") for line in await damage()]


def _room(settings: Settings) -> list[Finding]:
    """Whether the free disk space is several times the size of SQLite's write-ahead log."""
    if settings.sqlite_path is None:
        return []
    free = shutil.disk_usage(settings.sqlite_path.parent).free // 2**20
    text = f"{free:,} MB are free beside the file"
    return [
        ok("database", text)
        if free >= 4 * LOG_MEGABYTES
        else warn("database", f"{text}: its write-ahead log alone may take {LOG_MEGABYTES}. On a full disk nothing is verified.")
    ]


def _connection(kind: str) -> Finding:
    text = f"the connection is {kind}"
    return (
        warn("database", f"{text}: add sslmode=verify-full unless the network is yours alone")
        if kind == "plain"
        else ok("database", text)
    )


def _commits(setting: str) -> Finding:
    text = f"synchronous_commit is {setting}"
    return judged(setting != "off", "database", text, "an answered revocation could be lost. Turn it on.")


async def _peppers() -> list[Finding]:
    known = {pepper.version for pepper in peppers.current().all}
    current = peppers.current().current.version
    findings = [ok("pepper", f"version {current} is known to the database")]
    for what, counts in (await _living()).items():
        for version, count in sorted(counts.items()):
            if version not in known:
                findings.append(fail("pepper", f"{count} {what} lie under version {version}, which is not given: none is accepted"))
            elif version != current:
                findings.append(warn("pepper", f"{count} {what} are left under the previous pepper, until each is used once"))
    if unused := await key_store.count_unused_imports(await database.now()):
        findings.append(ok("imported keys", f"{unused} verify by the hash they came with, until each is used once"))
    return findings


async def _living() -> dict[str, dict[int, int]]:
    """Counts live credentials by kind and pepper version; ended ones need no new digest and are left out."""
    now = await database.now()
    return {
        "API keys": await key_store.count_by_pepper(now),
        "management keys": await management_store.count_by_pepper(now),
        "operator keys": await operator_store.count_by_pepper(now),
        "gateway tokens": await gateway_store.count_by_pepper(),
    }


async def _journal() -> list[Finding]:
    return [await _written(), *await _living_again()]


async def _living_again() -> list[Finding]:
    """Credentials that a restored backup made valid again; a server revokes them when it starts, and every minute while it runs."""
    try:
        found = Counter(changes.kind for changes in await replay.pending())
    except OSError:
        return []
    pending = replay.describe(found)
    text = f"the journal names what the database has living: to be {pending}. A server that runs does so within a minute"
    return [fail("journal", text)] if found else []


async def _written() -> Finding:
    """The start appended the missing entries; those still missing could not be written."""
    bound = journal.current()
    if bound.failing:
        return fail("journal", f"cannot be written: {bound.failing}")
    known = journal.read_all(bound.path)
    revoked = {key for key, _, _ in await key_store.revoked_since(0)}
    changes = {audit.access_change_of(entry) for entry in await audit_store.access_changes_since(0)}
    missing = len(revoked - known.keys.keys()) + len(changes - known.access_changes.keys())
    total = len(revoked) + len(changes)
    return judged(not missing, "journal", f"{bound.path} has {total - missing} of {total} revocations", "some are lacking")


async def _limits(actor: Actor, settings: Settings) -> list[Finding]:
    over = await plans.over_limit(actor)
    return [await _explained(actor, settings, slug, meter) for slug, meter in over] or [
        ok("plans", "no workspace has more keys than its plan allows")
    ]


async def _explained(actor: Actor, settings: Settings, slug: str, meter: Meter) -> Finding:
    """Keys above the limit are expected only after a move to a smaller plan or a lower limit in a custom catalogue."""
    text = f"{slug} has {meter.used} keys of {meter.limit} on the plan {meter.plan.name}"
    if await plans.last_change(await tenancy.seen(actor, slug)):
        return warn("plans", f"{text}, since its plan was changed")
    if settings.catalogue != DEFAULT_CATALOGUE:
        return warn("plans", f"{text}; has the catalogue's limit become smaller?")
    return fail("plans", f"{text}, and its plan was never changed")


async def _leavers(offered: Catalogue) -> list[Finding]:
    """Keys with names that the catalogue no longer offers: they still verify, but such a key cannot be created again."""
    findings = []
    for key_id, environment, permissions in await key_store.held_names():
        left = [name for name in permissions if name not in offered.permissions]
        left += [environment] if environment not in offered.environments else []
        if left:
            findings.append(warn("catalogue", f"{key_id} holds {', '.join(left)}, no longer in the catalogue"))
    return findings or [ok("catalogue", "offers everything that keys hold")]


async def _people_and_gateways(settings: Settings) -> list[Finding]:
    tokens = sum((await gateway_store.count_by_pepper()).values())
    owned = await workspace_store.any_owner_exists()
    return [
        ok("owner", "there is one")
        if owned
        else warn("owner", "nobody owns a workspace yet: keydesk create-owner, or the link of serve"),
        ok("gateway tokens", f"{tokens} made by keydesk gateway-token")
        if tokens or settings.gateway_tokens
        else warn("gateway tokens", "there is none, so no service can ask /v1: keydesk gateway-token create"),
    ]


async def _addresses() -> list[Finding]:
    """Keys used from an address that the service did not send or that a proxy wrote in an unreadable form."""
    keys = await caller_store.count_keys_of_unknown_network(await database.now() - clock.DAY)
    text = (
        f"{keys} keys were used in the last day from an address that was not sent or cannot be read: allow-lists refuse such"
        " requests, and a rotation never counts them as moved. The log and /metrics of the nodes say whether it cannot be read"
    )
    return [warn("addresses", text)] if keys else []


async def _clock() -> list[Finding]:
    now, newest = await database.now(), await audit_store.newest(SYSTEM_CHAIN, limit=1)
    apart = abs(now - time.time_ns() // 1000)
    findings = [_apart(apart)]
    if newest and newest[0].at > now + _TOLERATED:
        findings.append(fail("clock", f"runs behind the newest audit entry, of {clock.rfc3339(newest[0].at)}: it was set back"))
    for what, latest in (await newest_instants()).items():
        if latest > now + clock.TOLERATED:
            findings.append(warn("clock", f"was ahead: the newest instant of {what} is {clock.rfc3339(latest)}"))
    return findings


def _apart(apart: int) -> Finding:
    text = f"this machine's and the database's are {apart / clock.SECOND:.3f} s apart"
    if apart <= _TOLERATED:
        return ok("clock", text)
    return (fail if apart > _TOO_FAR else warn)("clock", f"{text}: expiry goes by the database's. Synchronize both.")
