"""The outbox: committed with its cause, unreadable at rest, erased once done."""

from __future__ import annotations

import json

import pytest

from app import database, runtime
from app.clock import DAY, MINUTE
from app.outbox import service, store
from app.outbox.item import KEPT, LONGEST_PAUSE, UNREADABLE, Kind
from app.peppers.pepper import Pepper, PepperGone, Peppers

SECRET = "https://keys.example.com/password-reset/the-token-of-the-link"
NOW = 1_793_000_000_000_000


async def put(now: int = NOW) -> str:
    async with database.transaction():
        return (await service.put(Kind.MAIL, {"to": "ann@example.org", "subject": "s", "text": SECRET}, now)).id


async def rows() -> list[dict[str, object]]:
    return await database.fetch("SELECT * FROM outbox")


async def test_an_item_is_committed_with_its_cause_or_not_at_all(db: None) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await service.put(Kind.MAIL, {}, NOW)
            raise ZeroDivisionError
    assert await rows() == []
    with pytest.raises(RuntimeError):
        await service.put(Kind.MAIL, {}, NOW)
    item_id = await put()
    (item,) = await store.due(Kind.MAIL, NOW, 10)
    assert (item.id, item.content["text"], item.attempts) == (item_id, SECRET, 0)
    assert SECRET not in repr(item)


async def test_neither_address_nor_text_is_readable_in_the_database(db: None) -> None:
    await put()
    (row,) = await rows()
    content = bytes(row["content"])  # type: ignore[call-overload]
    assert b"the-token" not in content and b"ann@" not in content and b"subject" not in content
    other = await put()
    swapped = {str(each["id"]): each["content"] for each in await rows()}
    async with database.transaction():
        await database.fetch("UPDATE outbox SET content = {} WHERE id = {}", swapped[other], row["id"])
    assert [item.id for item in await store.due(Kind.MAIL, NOW, 10)] == [other], "the content of another item opens in no other"


async def test_what_is_done_is_erased_at_once_and_its_trace_deleted_later(db: None) -> None:
    item_id = await put()
    async with database.transaction():
        assert await store.finish(item_id, NOW) and not await store.finish(item_id, NOW)
    (row,) = await rows()
    assert bytes(row["content"]) == b"" and row["done_at"] == NOW  # type: ignore[call-overload]
    assert await store.due(Kind.MAIL, NOW + DAY, 10) == [] and not await store.is_any_due(Kind.MAIL, NOW + DAY)
    for later, left in ((NOW + KEPT - 1, 1), (NOW + KEPT, 0)):
        database.freeze(later)
        await service.purge_done()
        assert len(await rows()) == left


async def test_what_is_put_off_is_due_then_and_what_was_put_off_by_a_clock_ahead_is_due_now(db: None) -> None:
    item_id = await put()
    async with database.transaction():
        await store.postpone(item_id, NOW + MINUTE)
    assert not await store.is_any_due(Kind.MAIL, NOW + MINUTE - 1) and await store.is_any_due(Kind.MAIL, NOW + MINUTE)
    async with database.transaction():
        await store.postpone(item_id, NOW + LONGEST_PAUSE + 1)
    assert [item.attempts for item in await store.due(Kind.MAIL, NOW, 10)] == [2]


async def test_an_item_of_another_pepper_waits_and_keeps_no_other_from_its_turn(db: None) -> None:
    known = runtime.current(Peppers)
    with runtime.replaced(Peppers(Pepper(77, b"another pepper of another node, of 32 bytes"))):
        foreign = await put()
    own = await put()
    assert [item.id for item in await store.due(Kind.MAIL, NOW, 10)] == [own]
    with runtime.replaced(Peppers(known.current, Pepper(77, b"another pepper of another node, of 32 bytes"))):
        assert [item.id for item in await store.due(Kind.MAIL, NOW + UNREADABLE, 10)] == [own, foreign]


def test_sealed_content_opens_in_its_own_context_unchanged_and_in_no_other() -> None:
    peppers = Peppers(Pepper(1, b"p" * 32))
    for content in (b"", b"x", b"\0\0", json.dumps({"text": SECRET}).encode() * 50):
        sealed = peppers.seal(content, "here")
        assert peppers.unseal(sealed, "here") == content and sealed != peppers.seal(content, "here")
        with pytest.raises(ValueError):
            peppers.unseal(sealed, "there")
        for index in range(4, len(sealed), 7):
            with pytest.raises(ValueError):
                peppers.unseal(sealed[:index] + bytes([sealed[index] ^ 1]) + sealed[index + 1 :], "here")
    with pytest.raises(PepperGone):
        Peppers(Pepper(2, b"q" * 32)).unseal(sealed, "here")
    assert Peppers(Pepper(2, b"q" * 32), Pepper(1, b"p" * 32)).unseal(sealed, "here") == content
