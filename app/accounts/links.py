"""One-time links: made, looked at without being used up, and used once. Bound to their purpose; stored as digests."""

from __future__ import annotations

from app import database, mail
from app.accounts import store
from app.accounts.link import PATHS, Link, Purpose
from app.accounts.session import digest, new_token
from app.errors import LinkExpired


async def issue(link: Link) -> str:
    """Inside an open transaction: keeps the link and answers its full address, which is nowhere else."""
    token = new_token()
    await store.add_link(link, digest(token))
    return mail.current().link(PATHS[link.purpose] + token)


async def find(purpose: Purpose, token: str) -> Link | None:
    """The living link of this token; looking at it changes nothing, since mail programs look at links too."""
    return await store.find_link(purpose, digest(token), await database.now())


async def get(purpose: Purpose, token: str) -> Link:
    """The same. Raises LinkExpired."""
    link = await find(purpose, token)
    if link is None:
        raise LinkExpired
    return link


async def use(purpose: Purpose, token: str, now: int) -> Link:
    """Inside an open transaction: the link, which lives no longer. Raises LinkExpired, to all but the first."""
    link = await store.use_link(purpose, digest(token), now)
    if link is None:
        raise LinkExpired
    return link
