"""Slows guessing down, over all nodes and restarts: attempts are counted in windows of five minutes (as PyPI's Warehouse does).

Every attempt is counted in three buckets before the password is checked: all attempts, those from its network, and those
against its user. Refused attempts are not counted, so a window ends on time under any load. The overall bucket refuses
nobody, because one attacker who fills it would lock out all users: while it is full, networks and users have lower limits.
A user under attack can still sign in: attempts from networks where they signed in before are counted in one bucket alone,
of this user at that network, which neither strangers nor neighbours fill. Success takes its own attempt back and resets
nothing else.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from typing import Final

from app import database
from app.clock import DAY, HOUR, TOLERATED
from app.errors import TooManyAttempts
from app.peppers import service as peppers
from app.throttling import store
from app.throttling.bucket import Bucket

KNOWN_FOR: Final = 90 * DAY
KNOWN_PREFIX: Final = "known "
# Many people share an address: a school's, an office's, a provider's.
LIMIT_OF_NETWORK: Final = 30
LIMIT_OF_NETWORK_WHEN_CROWDED: Final = 10
# If all attempts together exceed this number, limits are lower.
LIMIT_OVERALL: Final = 1_000


async def is_known_network(email_key: str, address: str) -> bool:
    """Whether the user of this e-mail address has signed in from the network of this IP address in the last 90 days."""
    now = await database.now()
    return await store.is_known_network(_known(email_key, network_of(address)), now - KNOWN_FOR, now + TOLERATED)


def sign_in_buckets(email_key: str, address: str, *, known: bool) -> list[Bucket]:
    """For an attempt to sign in; the same whether the user exists or not. `known`: the result of `is_known_network`."""
    network = network_of(address)
    if known:
        return [Bucket(f"sign-in {_pseudonym(email_key, network)}")]
    return [_overall("sign-in"), _of_network("sign-in", network), Bucket(f"sign-in {_pseudonym(email_key)}")]


def confirmation_buckets(user_id: str) -> list[Bucket]:
    """For a signed-in user who gives their password again."""
    return [Bucket(f"confirm {user_id}")]


def password_reset_buckets(email_key: str, address: str) -> list[Bucket]:
    """For requesting a reset link. The limit of one user is low, because each request sends them an e-mail."""
    from_here = Bucket(f"reset from {_pseudonym(network_of(address))}")
    return [_overall("reset"), from_here, Bucket(f"reset {_pseudonym(email_key)}", limit=3, window=HOUR, limit_when_crowded=1)]


def workspace_buckets(user_id: str) -> list[Bucket]:
    """For a user who creates a workspace: those that are deleted again leave rows behind."""
    return [Bucket(f"workspace {user_id}", limit=30, window=DAY)]


async def take(buckets: Sequence[Bucket]) -> None:
    """Counts an attempt in each bucket. Raises TooManyAttempts, and counts it in none, if one of them is full."""
    # Read first: an attempt that is refused anyway must not take the database's write lock.
    now = await database.now()
    found = await store.find_attempts([bucket.name for bucket in buckets])
    crowded = False
    for bucket in buckets:
        start, attempts = found.get(bucket.name, (now, 0))
        crowded |= _check(bucket, start, attempts + 1, now, crowded=crowded)
    crowded = False
    async with database.transaction():
        for bucket in buckets:
            start, attempts = await store.add_attempt(bucket.name, now, now - bucket.window, now + TOLERATED)
            crowded |= _check(bucket, start, attempts, now, crowded=crowded)


async def give_back(buckets: Sequence[Bucket]) -> None:
    """Takes the attempt out of the counts again."""
    async with database.transaction():
        await _subtract(buckets)


async def record_success(buckets: Sequence[Bucket], email_key: str, address: str, now: int) -> None:
    """Inside an open transaction: takes the attempt out of the counts, and saves the network as known for this user."""
    await _subtract(buckets)
    await store.save_known_network(_known(email_key, network_of(address)), now)


async def purge_expired() -> None:
    """Deletes windows that are over, networks not signed in from for long, and rows written while the clock was ahead."""
    async with database.transaction():
        now = await database.now()
        await store.purge(KNOWN_PREFIX, windows_before=now - HOUR, known_before=now - KNOWN_FOR, void_after=now + TOLERATED)


async def _subtract(buckets: Sequence[Bucket]) -> None:
    for bucket in buckets:
        await store.subtract_attempt(bucket.name)


def _check(bucket: Bucket, start: int, attempts: int, now: int, *, crowded: bool) -> bool:
    """Whether this is an overall bucket that is full. Raises TooManyAttempts if any other bucket is full."""
    exceeded = bucket.is_exceeded(start, attempts, now, crowded=crowded)
    if exceeded and not bucket.overall:
        raise TooManyAttempts(retry_after_seconds=bucket.retry_after_seconds(start, now))
    return exceeded


def _overall(action: str) -> Bucket:
    return Bucket(action, limit=LIMIT_OVERALL, overall=True)


def _of_network(action: str, network: str) -> Bucket:
    name = f"{action} from {_pseudonym(network)}"
    return Bucket(name, limit=LIMIT_OF_NETWORK, limit_when_crowded=LIMIT_OF_NETWORK_WHEN_CROWDED)


def _known(email_key: str, network: str) -> str:
    return KNOWN_PREFIX + _pseudonym(email_key, network)


def _pseudonym(*parts: str) -> str:
    """A keyed digest that replaces addresses in bucket names: the table reveals neither who was tried nor from where."""
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hmac.digest(peppers.current().current.derive("throttle"), text, "sha256").hex()[:32]


def network_of(address: str) -> str:
    """What counts as one caller: an IPv4 address, or the IPv6 /64 that a single customer gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)
