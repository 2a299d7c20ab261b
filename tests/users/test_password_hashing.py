"""Password hashing, and its limits that keep other work running."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher

from app.errors import TooManyAttempts
from app.users import password_hashing, password_rules

pytestmark = pytest.mark.slow
GOOD = "quite a long horse story 7"


async def test_long_passwords_are_not_truncated() -> None:
    """Bcrypt would treat two texts with the same first 72 bytes as equal."""
    long = "a sixty-four character passphrase about rivers, hills and storms, and more " * 13
    stored = await password_hashing.hash_password(password_rules.checked(long[:1_000] + " one"))
    assert await password_hashing.verify(stored, long[:1_000] + " one")
    assert not await password_hashing.verify(stored, long[:1_000] + " two")


async def test_the_hash_is_argon2id_with_its_parameters_and_a_salt_of_its_own() -> None:
    one, other = await password_hashing.hash_password(GOOD), await password_hashing.hash_password(GOOD)
    assert one != other and one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", "$2b$12$bcrypt"])
async def test_with_an_invalid_hash_no_password_matches(stored: str | None) -> None:
    for text in ("", GOOD, "\ud800", "\x00" * 20, "x" * 100_000):
        assert not await password_hashing.verify(stored, text)


@pytest.mark.parametrize(
    ("memory", "passes", "made_up"), [(19_456, 2, []), (19_456, 1, [19_456]), (8_192, 2, [22_528]), (65_536, 3, [])]
)
async def test_a_hash_with_lower_parameters_takes_as_much_work_as_a_current_one(
    monkeypatch: pytest.MonkeyPatch, memory: int, passes: int, made_up: list[int]
) -> None:
    stored = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1).hash(GOOD)
    work: list[int] = []
    real = password_hashing.hash_secret_raw

    def noted(secret: bytes, salt: bytes, time_cost: int, memory_cost: int, *rest: Any) -> bytes:
        work.append(time_cost * memory_cost)
        return real(secret, salt, time_cost, memory_cost, *rest)

    monkeypatch.setattr(password_hashing, "hash_secret_raw", noted)
    assert not await password_hashing.verify(stored, "another one, and long enough") and work == made_up
    assert await password_hashing.verify(stored, GOOD) and work == made_up * 2


async def test_a_flood_is_refused_beyond_the_queue_and_leaves_it_empty() -> None:
    found = await asyncio.gather(*(password_hashing.verify(None, GOOD) for _ in range(40)), return_exceptions=True)
    assert [type(each) for each in found].count(TooManyAttempts) == 40 - password_hashing.LONGEST_QUEUE
    assert found.count(False) == password_hashing.LONGEST_QUEUE
    assert not await password_hashing.verify(None, GOOD)


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_one_processor_is_left_to_other_work(monkeypatch: pytest.MonkeyPatch, processors: int, threads: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    assert password_hashing.threads() == threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
async def test_hashing_has_lower_priority_than_other_work() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await password_hashing._in_thread(priority) == min(priority() + 10, 19)


async def test_a_client_that_disconnects_frees_no_slot_before_its_hashing_is_done() -> None:
    jobs = [asyncio.create_task(password_hashing.verify(None, GOOD)) for _ in range(password_hashing.LONGEST_QUEUE)]
    while password_hashing._waiting < password_hashing.LONGEST_QUEUE:
        await asyncio.sleep(0)
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    with pytest.raises(TooManyAttempts):
        await password_hashing.verify(None, GOOD)
    while password_hashing._waiting:
        await asyncio.sleep(0)
