"""Issues one-time links, looks them up without using them, and uses them once. A link is valid only for its purpose."""

from __future__ import annotations

from app import database, mail
from app.errors import LinkExpired
from app.one_time_links import store
from app.one_time_links.link import PATHS, Link, Purpose
from app.tokens import digest, new_token


async def issue(link: Link) -> str:
    """Inside an open transaction: stores the link and returns its full URL, which is not stored."""
    token = new_token()
    await store.add(link, digest(token))
    return mail.current().link(PATHS[link.purpose] + token)


async def find(purpose: Purpose, token: str) -> Link | None:
    """The open link of this token. Looking it up changes nothing, because mail programs open links too."""
    return await store.find_open(purpose, digest(token), await database.now())


async def get(purpose: Purpose, token: str) -> Link:
    """Like `find`. Raises LinkExpired."""
    link = await find(purpose, token)
    if link is None:
        raise LinkExpired
    return link


async def use(purpose: Purpose, token: str, now: int) -> Link:
    """Inside an open transaction: uses the link up. Raises LinkExpired for every use but the first."""
    link = await store.use(purpose, digest(token), now)
    if link is None:
        raise LinkExpired
    return link


async def purge_expired() -> None:
    """Deletes links that have expired or were created while the clock was ahead."""
    async with database.transaction():
        await store.purge(await database.now())
