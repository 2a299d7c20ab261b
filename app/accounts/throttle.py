"""What slows guessing down, over all nodes and restarts: attempts counted in windows of five minutes (as PyPI's Warehouse does).

Every attempt takes a place in three buckets before the password is looked at: all there are, those of its network, and
those against its account. Refused ones take none, so that a window ends on time whatever is thrown at it. An account
under attack stays open to its owner: where somebody has signed in to it before, attempts go by one bucket alone, of this
account at that place, which neither strangers nor neighbours fill. Success gives its places back and resets nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import database
from app.accounts import store
from app.clock import DAY, HOUR, MINUTE, SECOND
from app.errors import TooManyAttempts
from app.peppers import service as peppers

KNOWN_FOR: Final = 90 * DAY
KNOWN: Final = "known "
# Many people share an address: a school's, an office's, a provider's.
PLACES_OF_ADDRESS: Final = 30


@dataclass(frozen=True, slots=True)
class Bucket:
    """Takes `places` attempts within `window` microseconds of the first one."""

    name: str
    places: int = 10
    window: int = 5 * MINUTE


async def of_sign_in(email_key: str, address: str) -> list[Bucket]:
    """Those of an attempt to sign in; the same ones whether the account exists or not."""
    network = _network(address)
    if await store.is_known(_known(email_key, network), await database.now() - KNOWN_FOR):
        return [Bucket(f"sign-in {_mark(email_key, network)}")]
    from_here = Bucket(f"sign-in from {_mark(network)}", places=PLACES_OF_ADDRESS)
    return [Bucket("sign-in", places=1_000), from_here, Bucket(f"sign-in {_mark(email_key)}")]


def of_confirmation(user_id: str) -> list[Bucket]:
    """Those of a password that somebody who is signed in gives again."""
    return [Bucket(f"confirm {user_id}")]


def of_reset(email_key: str, address: str) -> list[Bucket]:
    """Those of asking for a link; few for one account, because each of them is a mail to somebody."""
    everybody, here = Bucket("reset", places=1_000), Bucket(f"reset from {_mark(_network(address))}")
    return [everybody, here, Bucket(f"reset {_mark(email_key)}", places=3, window=HOUR)]


async def take(buckets: Sequence[Bucket]) -> None:
    """A place in each of them, or TooManyAttempts and a place in none."""
    # Read first: who is refused anyway must not take the database's write lock.
    now = await database.now()
    found = await store.find_attempts([bucket.name for bucket in buckets])
    for bucket in buckets:
        start, taken = found.get(bucket.name, (now, 0))
        _refuse_full(bucket, start, taken + 1, now)
    async with database.transaction():
        for bucket in buckets:
            _refuse_full(bucket, *await store.add_attempt(bucket.name, now, now - bucket.window), now)


async def forgive(buckets: Sequence[Bucket]) -> None:
    """Gives the places back."""
    async with database.transaction():
        await _give_back(buckets)


async def succeeded(buckets: Sequence[Bucket], email_key: str, address: str, now: int) -> None:
    """Inside an open transaction: gives the places back, and remembers where this account was signed in to."""
    await _give_back(buckets)
    await store.remember_place(_known(email_key, _network(address)), now)


async def forget_old(now: int) -> None:
    """Windows that are over, and places that were not signed in from for long."""
    await store.forget_attempts(KNOWN, now - HOUR, now - KNOWN_FOR)


async def _give_back(buckets: Sequence[Bucket]) -> None:
    for bucket in buckets:
        await store.give_back_attempt(bucket.name)


def _refuse_full(bucket: Bucket, start: int, taken: int, now: int) -> None:
    if taken > bucket.places and now < start + bucket.window:
        raise TooManyAttempts(retry_after_seconds=-(-(start + bucket.window - now) // SECOND))


def _known(email_key: str, network: str) -> str:
    return KNOWN + _mark(email_key, network)


def _mark(*parts: str) -> str:
    """What stands for an address in a bucket's name: the table tells nobody who was tried, or from where."""
    text = "\x00".join(parts).encode("utf-8", "surrogatepass")
    return hmac.digest(peppers.current().current.derive("throttle"), text, "sha256").hex()[:32]


def _network(address: str) -> str:
    """Who is one caller: an IPv4 address, and of IPv6 the /64 that a single customer gets."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)
