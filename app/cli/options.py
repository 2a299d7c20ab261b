"""Parameter types that click does not have."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from app.clock import DAY, HOUR, MINUTE, SECOND

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_EXAMPLES: Final = {"hd": "a number of days or hours, like 30d or 12h", "smhd": "a number with its unit, like 90s, 30m, 12h or 7d"}


class CommaSeparated(click.ParamType[tuple[str, ...]]):
    """`a,b` as a tuple."""

    name = "a,b"

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> tuple[str, ...]:
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


class Duration(click.ParamType[int]):
    """`30d` or `12h` in microseconds; with the units `smhd` also `30m` and `90s`."""

    name = "30d"

    def __init__(self, units: str = "hd") -> None:
        self._units = units

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> int:
        shape = re.fullmatch(rf"(\d{{1,6}})([{self._units}])", str(value).strip())
        if shape is None:
            self.fail(f"{value!r} is not {_EXAMPLES[self._units]}.", param, context)
        return int(shape.group(1)) * _UNITS[shape.group(2)]
