"""One-time links: bound to their purpose, used once, and void when the clock was ahead."""

from __future__ import annotations

import asyncio

import pytest

from app import database, ids
from app.clock import HOUR, SECOND, YEAR
from app.errors import LinkExpired
from app.one_time_links import service as links
from app.one_time_links.link import ID_PREFIX, LIFETIMES, Link, Purpose
from tests.support.users import token_of

NOW = 1_800_000_000 * SECOND


async def issue(purpose: Purpose = Purpose.PASSWORD_RESET) -> tuple[Link, str]:
    link = Link(ids.new(ID_PREFIX), purpose, await database.now(), user_id="usr_x")
    async with database.transaction():
        return link, token_of(await links.issue(link))


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_link_is_open_for_its_lifetime_and_for_its_own_purpose(db: None, purpose: Purpose) -> None:
    database.freeze(NOW)
    link, token = await issue(purpose)
    assert {each: await links.find(each, token) for each in Purpose} == {
        each: link if each is purpose else None for each in Purpose
    }
    database.freeze(NOW + LIFETIMES[purpose] - 1)
    assert await links.get(purpose, token) == link
    database.freeze(NOW + LIFETIMES[purpose])
    with pytest.raises(LinkExpired):
        await links.get(purpose, token)


async def test_a_link_is_used_once_however_many_use_it_at_once(db: None) -> None:
    link, token = await issue()

    async def use() -> Link:
        async with database.transaction():
            return await links.use(Purpose.PASSWORD_RESET, token, await database.now())

    found = await asyncio.gather(*(use() for _ in range(5)), return_exceptions=True)
    assert [each for each in found if not isinstance(each, LinkExpired)] == [link]
    assert await links.find(Purpose.PASSWORD_RESET, token) is None


async def test_links_that_expired_or_were_made_while_the_clock_was_ahead_are_void_and_deleted(db: None) -> None:
    database.freeze(NOW + YEAR)
    _, ahead = await issue()
    database.freeze(NOW - HOUR)
    await issue()
    database.freeze(NOW)
    kept, _ = await issue()
    assert await links.find(Purpose.PASSWORD_RESET, ahead) is None
    await links.purge_expired()
    assert [row["id"] for row in await database.fetch("SELECT id FROM link")] == [kept.id]
