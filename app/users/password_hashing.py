"""Hashes and checks passwords with Argon2id, in threads that leave the rest of the process responsive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from app import cores
from app.errors import TooManyAttempts
from app.users.password_rules import MOST_BYTES, normalised

LONGEST_QUEUE: Final = 32
# The rest of the queue is reserved for known networks and signed-in users, so that a flood of strangers does not refuse them.
QUEUE_FOR_STRANGERS: Final = 24
_NICENESS: Final = 10
_LEAST_MEMORY: Final = 8  # KiB; Argon2 takes no less

# OWASP's cheat sheet: 19 MiB, two passes, one lane; argon2-cffi adds a salt of 16 random bytes.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# A hash that no password has (32 zero bytes), with the current parameters: it is checked for a user who does not exist.
_HASH_OF_NO_USER: Final = f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${'A' * 22}${'A' * 43}"
_waiting = 0

Result = TypeVar("Result")


async def hash_password(text: str) -> str:
    """The Argon2id hash, with its parameters and salt, of a password that `password_rules` accepted. Raises TooManyAttempts."""
    return await _in_thread(lambda: hasher.hash(_bytes(text)))


async def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Without a hash (no such user) it takes the same time and returns False.

    Raises TooManyAttempts when too many wait.
    """
    # No accepted password is longer, in any normal form; this limit prevents the normalization of megabytes.
    text = normalised(password[: 4 * MOST_BYTES])
    return await _in_thread(lambda: _matches(password_hash or _HASH_OF_NO_USER, text))


def require_room(*, known: bool) -> None:
    """Raises TooManyAttempts, before anything else is done for an attempt, when too many wait already.

    `known`: the attempt comes from a network where this user signed in before, or from a user who is signed in.
    """
    if _waiting >= (LONGEST_QUEUE if known else QUEUE_FOR_STRANGERS):
        raise TooManyAttempts(retry_after_seconds=2)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash has other parameters than the current ones."""
    return hasher.check_needs_rehash(password_hash)


def threads() -> int:
    """How many passwords are hashed at a time: one processor stays free, if there is more than one."""
    return cores.background_threads()


def _matches(password_hash: str, text: str) -> bool:
    try:
        return hasher.verify(password_hash, _bytes(text))
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _equalise_work(password_hash)


def _equalise_work(password_hash: str) -> None:
    """Does the work that a hash with lower parameters saved, so that the time of an answer does not reveal the hash's age."""
    missing = hasher.memory_cost * hasher.time_cost - _work(password_hash)
    if missing >= _LEAST_MEMORY:
        hash_secret_raw(b"", bytes(16), 1, missing, 1, 32, Type.ID, ARGON2_VERSION)


def _work(password_hash: str) -> int:
    """KiB times passes; 0 for a text that is not a hash."""
    try:
        parameters = extract_parameters(password_hash)
    except InvalidHashError:
        return 0
    return parameters.memory_cost * parameters.time_cost


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Argon2 takes 19 MiB and 30 ms. At most 32 jobs wait or run, so that a flood exhausts neither memory nor processors."""
    global _waiting
    require_room(known=True)
    _waiting += 1
    job = asyncio.get_running_loop().run_in_executor(_threads(), work)
    job.add_done_callback(_done)
    return await asyncio.shield(job)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="argon2", initializer=_lower_priority)


def _lower_priority() -> None:
    """Lets verification run first. Only Linux has priorities of threads; elsewhere this would affect the whole process."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS)


def _done(_: asyncio.Future[Result]) -> None:
    global _waiting
    _waiting -= 1
