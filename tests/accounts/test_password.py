"""Which passwords are accepted, and how they are kept from stopping everything else."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from typing import Any

import pytest
from argon2 import PasswordHasher

from app.accounts import password as passwords
from app.errors import TooManyAttempts, ValidationFailed

GOOD = "quite a long horse story 7"


def code(password: str, *about: str) -> str:
    """Why it is refused; empty if it is not."""
    try:
        passwords.checked(password, about=about)
    except ValidationFailed as refusal:
        return refusal.fields[0].code
    return ""


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "fifteen letters"[:15],
        "🦉 owls in the tower 🦉",
        "пароль из нескольких слов",
        "correct donkey battery stable",
        "x4 " * 3 + "unlike anything else",
        "a sixty-four character passphrase about rivers, hills and storms",
        "é" * 200 + " and so on, again",
    ],
)
def test_long_ones_of_any_characters_are_accepted(password: str) -> None:
    assert code(password) == ""


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "TOO_SHORT"),
        ("fourteen chars", "TOO_SHORT"),
        ("x1y2" * 257, "TOO_LONG"),
        ("é" * 512 + "!", "TOO_LONG"),
        ("aaaaaaaaaaaaaaaaaaaa", "TOO_SIMPLE"),
        ("abcdefghijklmnopqrst", "TOO_SIMPLE"),
        ("zyxwvutsrqponmlkjihg", "TOO_SIMPLE"),
        ("qwertyuiopasdfghjkl", "TOO_SIMPLE"),
        ("12345678901234567890", "TOO_SIMPLE"),
        ("passwordpassword", "TOO_COMMON"),
        ("Password!!!!!!!!1234", "TOO_COMMON"),
        ("freelance-live-key", "TOO_COMMON"),
        ("keydesk-api-key-2026", "TOO_COMMON"),
    ],
)
def test_short_simple_and_common_ones_are_refused_with_the_reason(password: str, why: str) -> None:
    assert code(password) == why


def test_one_about_the_person_is_refused() -> None:
    for password in ("ann.lee@example.org", "Ann Lee Ann Lee 2026", "annlee-annlee-annlee", "lee.ann.example.org"):
        assert code(password, "ann.lee@example.org", "Ann Lee") == "TOO_COMMON", password
    assert code("ann rides to the lake", "ann.lee@example.org", "Ann Lee") == ""


def test_the_list_has_more_than_ten_thousand() -> None:
    assert len(passwords.common_passwords()) > 10_000


async def test_nothing_is_cut_off() -> None:
    """Bcrypt would take two texts with the same first 72 bytes for one."""
    long = "a sixty-four character passphrase about rivers, hills and storms, and more " * 13
    stored = await passwords.hash_password(passwords.checked(long[:1_000] + " one"))
    assert await passwords.verify(stored, long[:1_000] + " one")
    assert not await passwords.verify(stored, long[:1_000] + " two")


async def test_the_hash_is_argon2id_with_its_parameters_and_a_salt_of_its_own() -> None:
    one, other = await passwords.hash_password(GOOD), await passwords.hash_password(GOOD)
    assert one != other and one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", "$2b$12$bcrypt"])
async def test_without_a_sound_hash_no_password_is_right(stored: str | None) -> None:
    for text in ("", GOOD, "\ud800", "\x00" * 20, "x" * 100_000):
        assert not await passwords.verify(stored, text)


@pytest.mark.parametrize(
    ("memory", "passes", "made_up"), [(19_456, 2, []), (19_456, 1, [19_456]), (8_192, 2, [22_528]), (65_536, 3, [])]
)
async def test_a_hash_of_lower_parameters_takes_as_much_work_as_one_of_today(
    monkeypatch: pytest.MonkeyPatch, memory: int, passes: int, made_up: list[int]
) -> None:
    stored = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=1).hash(GOOD)
    work: list[int] = []
    real = passwords.hash_secret_raw

    def noted(secret: bytes, salt: bytes, time_cost: int, memory_cost: int, *rest: Any) -> bytes:
        work.append(time_cost * memory_cost)
        return real(secret, salt, time_cost, memory_cost, *rest)

    monkeypatch.setattr(passwords, "hash_secret_raw", noted)
    assert not await passwords.verify(stored, "another one, and long enough") and work == made_up
    assert await passwords.verify(stored, GOOD) and work == made_up * 2


async def test_a_flood_is_refused_beyond_the_queue_and_leaves_it_empty() -> None:
    found = await asyncio.gather(*(passwords.verify(None, GOOD) for _ in range(40)), return_exceptions=True)
    assert [type(each) for each in found].count(TooManyAttempts) == 40 - passwords.LONGEST_QUEUE
    assert found.count(False) == passwords.LONGEST_QUEUE
    assert not await passwords.verify(None, GOOD)


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_one_processor_is_left_to_everything_else(monkeypatch: pytest.MonkeyPatch, processors: int, threads: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)), raising=False)
    assert passwords.threads() == threads


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
async def test_hashing_gives_way_to_whatever_else_the_process_does() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await passwords._in_thread(priority) == min(priority() + 10, 19)


async def test_who_hangs_up_frees_no_place_before_the_work_is_done() -> None:
    jobs = [asyncio.create_task(passwords.verify(None, GOOD)) for _ in range(passwords.LONGEST_QUEUE)]
    while passwords._waiting < passwords.LONGEST_QUEUE:
        await asyncio.sleep(0)
    for job in jobs:
        job.cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    with pytest.raises(TooManyAttempts):
        await passwords.verify(None, GOOD)
    while passwords._waiting:
        await asyncio.sleep(0)
