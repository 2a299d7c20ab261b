"""Dates as iCalendar (RFC 5545): CRLF line ends, lines folded at 75 octets, escaped text, stable ids."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from app import clock

_LONGEST_LINE: Final = 75
_ESCAPED: Final = {"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"}


@dataclass(frozen=True, slots=True)
class Event:
    """`at` in microseconds. `all_day`: an event on that day in the calendar's time zone; otherwise at that instant.

    `uid` is stable across reads, so that a changed date moves the event instead of duplicating it.
    """

    uid: str
    at: int
    summary: str
    description: str
    url: str
    all_day: bool = False


def render(name: str, zone: str, events: Iterable[Event], now: int) -> bytes:
    """The complete calendar at `now`, without alarms, which subscribers set themselves."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Keydesk//API key dates//EN",
        "METHOD:PUBLISH",
        f"NAME:{_text(name)}",
        f"X-WR-CALNAME:{_text(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT6H",
        *(line for event in events for line in _event(event, zone, now)),
        "END:VCALENDAR",
    ]
    return b"".join(_folded(line) for line in lines)


def _event(event: Event, zone: str, now: int) -> list[str]:
    return [
        "BEGIN:VEVENT",
        f"UID:{event.uid}",
        f"DTSTAMP:{_instant(now)}",
        _start(event, zone),
        f"SUMMARY:{_text(event.summary)}",
        f"DESCRIPTION:{_text(event.description)}",
        f"URL:{event.url}",
        # An expiring key does not make anyone busy.
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _start(event: Event, zone: str) -> str:
    if event.all_day:
        return f"DTSTART;VALUE=DATE:{clock.in_zone(event.at, zone):%Y%m%d}"
    return f"DTSTART:{_instant(event.at)}"


def _instant(instant: int) -> str:
    """In UTC, so that no VTIMEZONE is needed."""
    return f"{clock.to_datetime(instant):%Y%m%dT%H%M%SZ}"


def _text(text: str) -> str:
    plain = (character for character in text if character == "\n" or unicodedata.category(character) != "Cc")
    return "".join(_ESCAPED.get(character, character) for character in plain)


def _folded(line: str) -> bytes:
    """At most 75 octets per line, never splitting a character; continuation lines begin with a space."""
    parts, part = [], b""
    for character in line:
        octets = character.encode()
        if len(part) + len(octets) > _LONGEST_LINE:
            parts.append(part)
            part = b" "
        part += octets
    return b"\r\n".join([*parts, part]) + b"\r\n"
