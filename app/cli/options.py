"""Kinds of option values that click does not have."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from app.clock import DAY, HOUR

_UNITS: Final = {"h": HOUR, "d": DAY}


class Words(click.ParamType[tuple[str, ...]]):
    """`a,b` as a tuple."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, ...]:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


class Period(click.ParamType[int]):
    """`30d` or `12h` in microseconds."""

    name = "30d"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        shape = re.fullmatch(r"(\d{1,6})([hd])", str(value).strip())
        if shape is None:
            self.fail(f"{value!r} is not a number of days or hours, like 30d or 12h.", param, context)
        return int(shape.group(1)) * _UNITS[shape.group(2)]
