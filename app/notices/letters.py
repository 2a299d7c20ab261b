"""The mail in which a workspace's new notices stand together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app import catalogue, clock, mail
from app.notices.notice import Kind, Notice
from app.tenancy.workspace import Workspace

_COMING: Final = {
    Kind.ROTATE_BY: "Rotate it by {at} ({left}). Both keys work while your callers move over.",
    Kind.EXPIRY: "It expires on {at} ({left}). From then on its requests are refused, for ever. Extend or replace it before.",
}
_COME: Final = {
    Kind.ROTATE_BY: "It should have been rotated by {at}. It works on; rotate it when you can.",
    Kind.EXPIRY: "It expired on {at}. Its requests are refused, and an expired key cannot come back: create a new one.",
    Kind.DEADLINE: "The deadline of its rotation passed on {at}. Both keys work on and count on your plan: finish or cancel it.",
}


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str


def digest(place: Workspace, told: list[Notice], now: int) -> Letter:
    """Everything that is new in one workspace. Times are in its time zone."""
    count = "One API key" if len(told) == 1 else f"{len(told)} notices about API keys"
    parts = [_paragraph(place, notice, now) for notice in told]
    end = f"All that is open: {mail.current().link(f'/w/{place.slug}/alerts')}\n"
    verb = " wants attention" if len(told) == 1 else ""
    return Letter(f"{place.name}: {count}{verb}", "\n".join([*parts, end]))


def _paragraph(place: Workspace, notice: Notice, now: int) -> str:
    key = notice.key
    environment = catalogue.current().environment(key.environment).title
    link = mail.current().link(f"/w/{place.slug}/settings/api-keys/{key.id}")
    return f"{key.name} ({key.prefix}…, {environment})\n{_sentence(place, notice, now)}\n{link}\n"


def _sentence(place: Workspace, notice: Notice, now: int) -> str:
    local = clock.in_zone(notice.about, place.timezone)
    sentences = _COME if notice.has_come(now) else _COMING
    return sentences[notice.kind].format(at=f"{local:%a %-d %b %Y, %H:%M %Z}", left=_left(notice.about - now))


def _left(span: int) -> str:
    """`in 6 days`, `in 23 hours`; rounded down, so that nobody believes to have longer than they have."""
    for length, name in ((clock.DAY, "day"), (clock.HOUR, "hour")):
        if span >= length:
            count = span // length
            return f"in {count} {name}{'' if count == 1 else 's'}"
    return "within the hour"
