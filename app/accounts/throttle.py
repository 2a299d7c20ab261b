"""What slows guessing down, over all nodes and restarts: attempts counted in windows of five minutes (as PyPI's Warehouse does).

Every attempt takes a place in three buckets before the password is looked at: all there are, those of its network, and
those against its account. Refused ones take none, so that a window ends on time whatever is thrown at it. The bucket of
all refuses nobody, because one attacker who fills it would lock out all users: while it is full, networks and accounts have fewer
places each. An account under attack stays open to its owner: from places that signed in to it before, attempts go by
one bucket alone, of this account at that place, which neither strangers nor neighbours fill. Success gives its places back
and resets nothing.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import database
from app.accounts import store
from app.clock import DAY, HOUR, MINUTE, SECOND, TOLERATED
from app.errors import TooManyAttempts
from app.peppers import service as peppers

KNOWN_FOR: Final = 90 * DAY
KNOWN: Final = "known "
# Many people share an address: a school's, an office's, a provider's.
PLACES_OF_ADDRESS: Final = 30
# While more attempts than these come from everywhere together, places are fewer.
PLACES_OF_ALL: Final = 1_000
FEW_OF_ADDRESS: Final = 10
FEW_OF_ACCOUNT: Final = 5


@dataclass(frozen=True, slots=True)
class Bucket:
    """Takes `places` attempts within `window` microseconds of the first one.

    With `crowds` it takes all, and while there are more than its places, the buckets after it take `few`.
    """

    name: str
    places: int = 10
    window: int = 5 * MINUTE
    few: int = FEW_OF_ACCOUNT
    crowds: bool = False


async def knows(email_key: str, address: str) -> bool:
    """Whether anybody has signed in to this account from this place."""
    now = await database.now()
    return await store.is_known(_known(email_key, _network(address)), now - KNOWN_FOR, now + TOLERATED)


def of_sign_in(email_key: str, address: str, *, known: bool) -> list[Bucket]:
    """Those of an attempt to sign in; the same ones whether the account exists or not. `known`: as `knows` says."""
    network = _network(address)
    if known:
        return [Bucket(f"sign-in {_mark(email_key, network)}")]
    return [_of_all("sign-in"), _from("sign-in", network), Bucket(f"sign-in {_mark(email_key)}")]


def of_confirmation(user_id: str) -> list[Bucket]:
    """Those of a password that somebody who is signed in gives again."""
    return [Bucket(f"confirm {user_id}")]


def of_reset(email_key: str, address: str) -> list[Bucket]:
    """Those of asking for a link; few for one account, because each of them is a mail to somebody."""
    here = Bucket(f"reset from {_mark(_network(address))}")
    return [_of_all("reset"), here, Bucket(f"reset {_mark(email_key)}", places=3, window=HOUR, few=1)]


async def take(buckets: Sequence[Bucket]) -> None:
    """A place in each of them, or TooManyAttempts and a place in none."""
    # Read first: who is refused anyway must not take the database's write lock.
    now = await database.now()
    found = await store.find_attempts([bucket.name for bucket in buckets])
    crowded = False
    for bucket in buckets:
        start, taken = found.get(bucket.name, (now, 0))
        crowded |= _judge(bucket, start, taken + 1, now, crowded=crowded)
    crowded = False
    async with database.transaction():
        for bucket in buckets:
            start, taken = await store.add_attempt(bucket.name, now, now - bucket.window, now + TOLERATED)
            crowded |= _judge(bucket, start, taken, now, crowded=crowded)


async def forgive(buckets: Sequence[Bucket]) -> None:
    """Gives the places back."""
    async with database.transaction():
        await _give_back(buckets)


async def succeeded(buckets: Sequence[Bucket], email_key: str, address: str, now: int) -> None:
    """Inside an open transaction: gives the places back, and remembers where this account was signed in to."""
    await _give_back(buckets)
    await store.remember_place(_known(email_key, _network(address)), now)


async def forget_old(now: int) -> None:
    """Windows that are over, places that were not signed in from for long, and both of a time when the clock was ahead."""
    await store.forget_attempts(KNOWN, now - HOUR, now - KNOWN_FOR, now + TOLERATED)


async def _give_back(buckets: Sequence[Bucket]) -> None:
    for bucket in buckets:
        await store.give_back_attempt(bucket.name)


def _judge(bucket: Bucket, start: int, taken: int, now: int, *, crowded: bool) -> bool:
    """Whether this one says that there is a crowd. Raises TooManyAttempts for a full one of the others."""
    full = taken > (bucket.few if crowded else bucket.places) and start <= now + TOLERATED and now < start + bucket.window
    if full and not bucket.crowds:
        raise TooManyAttempts(retry_after_seconds=-(-(start + bucket.window - now) // SECOND))
    return full


def _of_all(what: str) -> Bucket:
    return Bucket(what, places=PLACES_OF_ALL, crowds=True)


def _from(what: str, network: str) -> Bucket:
    return Bucket(f"{what} from {_mark(network)}", places=PLACES_OF_ADDRESS, few=FEW_OF_ADDRESS)


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
