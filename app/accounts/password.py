"""Passwords: which ones are accepted, and how they are hashed without stopping everything else.

Accepted (NIST SP 800-63B-4 §3.1.1.2): 15 characters or more, up to 1,024 bytes, any Unicode, no rules of composition.
Common passwords are shorter than that, so comparing the whole text with a list of them would refuse almost nothing. What
people really do is to stretch one until it is long enough; so a password is refused when, without its case and the digits
and punctuation around it, it is a common password (29,000 of them) or a word about this place, once or repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION, Type, hash_secret_raw

from app.errors import AccountFault, Fault, FieldProblem, TooManyAttempts, ValidationFailed

SHORTEST: Final = 15
MOST_BYTES: Final = 1024
FEWEST_DIFFERENT: Final = 5
LONGEST_QUEUE: Final = 32
# The rest of the queue is kept for those who are known, so that a flood of strangers does not refuse them.
QUEUE_OF_STRANGERS: Final = 24
_NICE: Final = 10
_LEAST_MEMORY: Final = 8  # KiB; Argon2 takes no less

# Words about this place; a password of nothing else is refused.
CONTEXT: Final = frozenset(
    {"keydesk", "api", "apikey", "key", "keys", "live", "test", "freelance", "dashboard", "admin", "owner", "login"}
    | {"password", "passphrase", "secret"}
)
_LIST: Final = Path(__file__).with_name("common_passwords.txt")
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "0123456789", "qwertyuiopasdfghjklzxcvbnm", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p")

# OWASP's cheat sheet: 19 MiB, two passes, one lane; argon2-cffi adds a salt of 16 random bytes.
hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# A hash no password leads to (32 zero bytes), at today's cost: what is checked for an account that does not exist.
_OF_NOBODY: Final = f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}${'A' * 22}${'A' * 43}"
_waiting = 0

Result = TypeVar("Result")


def checked(password: str, *, about: Collection[str] = (), field: str = "password") -> str:
    """The password in NFC, as it is hashed. Raises ValidationFailed, at `field`, saying why it is refused.

    `about`: what belongs to this person and is guessed first, e.g. their name and address.
    """
    text = normalised(password)
    if len(text) < SHORTEST:
        raise _refused(field, "TOO_SHORT", f"Use {SHORTEST} characters or more; a few unrelated words are easy to remember.")
    if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        raise _refused(field, "TOO_LONG", f"Use at most {MOST_BYTES} bytes.")
    if len(set(text.casefold())) < FEWEST_DIFFERENT or is_sequence(text):
        raise _refused(field, "TOO_SIMPLE", "This repeats or counts up; use a few unrelated words.")
    if is_common(text, about):
        raise _refused(field, "TOO_COMMON", "This is a common password made longer, or about you; use a few unrelated words.")
    return text


def normalised(password: str) -> str:
    """One text for what looks the same on every keyboard."""
    return unicodedata.normalize("NFC", password)


def is_sequence(text: str) -> bool:
    """Whether it walks along the alphabet, the digits or the keyboard, forwards or backwards, again and again."""
    plain = text.casefold()
    return any(plain in row * 20 or plain in row[::-1] * 20 for row in _ROWS)


def is_common(text: str, about: Collection[str] = ()) -> bool:
    """Whether a common password or a word about this place or person was stretched into it."""
    near = {*CONTEXT, *(part for whole in about for part in _parts(whole))}
    words = set(_words(text.casefold()))
    if words and words <= near:
        return True
    return any(core in near or core in common_passwords() for core in _cores(text.casefold()))


@cache
def common_passwords() -> frozenset[str]:
    """The list, lower case."""
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


async def hash_password(text: str) -> str:
    """The Argon2id hash, with its parameters and salt, of a password that was `checked`. Raises TooManyAttempts."""
    return await _in_thread(lambda: hasher.hash(_bytes(text)))


async def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Without a hash (no such account) it costs the same and answers False.

    Raises TooManyAttempts when too many wait.
    """
    # No accepted password is longer, in whatever form it was typed; so nobody makes us normalise megabytes.
    text = normalised(password[: 4 * MOST_BYTES])
    return await _in_thread(lambda: _matches(password_hash or _OF_NOBODY, text))


def require_room(*, known: bool) -> None:
    """Raises TooManyAttempts, before anything else is done for an attempt, when too many wait already.

    `known`: it comes from a place that signed in to this account before, or from a person who is signed in.
    """
    if _waiting >= (LONGEST_QUEUE if known else QUEUE_OF_STRANGERS):
        raise TooManyAttempts(retry_after_seconds=2)


def needs_rehash(password_hash: str) -> bool:
    """Whether it was made with other parameters than today's."""
    return hasher.check_needs_rehash(password_hash)


def _matches(password_hash: str, text: str) -> bool:
    try:
        return hasher.verify(password_hash, _bytes(text))
    except (VerificationError, InvalidHashError):
        return False
    finally:
        _make_up_for(password_hash)


def _make_up_for(password_hash: str) -> None:
    """The work that a hash with lower parameters than today's saved: its age must not show in the time of an answer."""
    missing = hasher.memory_cost * hasher.time_cost - _work(password_hash)
    if missing >= _LEAST_MEMORY:
        hash_secret_raw(b"", bytes(16), 1, missing, 1, 32, Type.ID, ARGON2_VERSION)


def _work(password_hash: str) -> int:
    """KiB times passes; 0 for what is no hash at all."""
    try:
        parameters = extract_parameters(password_hash)
    except InvalidHashError:
        return 0
    return parameters.memory_cost * parameters.time_cost


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


async def _in_thread(work: Callable[[], Result]) -> Result:
    """Argon2 takes 19 MiB and 30 ms: 32 in all, so that a flood starves neither memory nor verification."""
    global _waiting
    require_room(known=True)
    _waiting += 1
    job = asyncio.get_running_loop().run_in_executor(_threads(), work)
    job.add_done_callback(_done)
    return await asyncio.shield(job)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads(), thread_name_prefix="argon2", initializer=_give_way)


def threads() -> int:
    """How many passwords are hashed at a time: one processor is left to everything else, where there is more than one."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, here - 1)


def _give_way() -> None:
    """Verification goes before this thread. Only Linux has priorities of threads; elsewhere it would be the process's."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _done(_: asyncio.Future[Result]) -> None:
    global _waiting
    _waiting -= 1


def _cores(text: str) -> set[str]:
    """What may be left of a stretched text: without what stands around its letters, without separators, once if repeated."""
    outside = "".join(character for character in text if not character.isalpha())
    joined = "".join(character for character in text if character.isalnum())
    letters = "".join(character for character in text if character.isalpha())
    return {_unit(core) for core in (text, text.strip(outside), joined, joined.strip(outside), letters) if core}


def _unit(text: str) -> str:
    """`abcabcab` → `abc`; a text that is no repetition is its own unit. The last turn may be incomplete."""
    for size in range(1, len(text) // 2 + 1):
        if (text[:size] * (len(text) // size + 1))[: len(text)] == text:
            return text[:size]
    return text


def _parts(whole: str) -> set[str]:
    """`ann.lee@example.org` → itself in one word, `ann`, `lee`, `example`, `org`, `annlee`."""
    plain = normalised(whole).casefold()
    words = _words(plain)
    return {plain, "".join(words), *words, "".join(_words(plain.split("@")[0]))}


def _words(text: str) -> list[str]:
    return "".join(character if character.isalpha() else " " for character in text).split()


def _refused(field: str, code: Fault | AccountFault, message: str) -> ValidationFailed:
    return ValidationFailed(FieldProblem(field, code, message))
