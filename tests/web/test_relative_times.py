"""Relative times: what the server writes, and that the script which keeps them current has the same steps."""

from __future__ import annotations

import json
import re

import pytest

from app.clock import DAY, HOUR, SECOND
from app.paths import STATIC
from app.web.presentation import filters

NOW = 1_796_000_000 * SECOND


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (0, "just now"),
        (-SECOND, "1 second ago"),
        (23 * HOUR, "in 23 hours"),
        (90 * DAY - SECOND, "in 89 days"),
        (-90 * DAY, "90 days ago"),
        (-185 * DAY, "6 months ago"),
        (800 * DAY, "in 2 years"),
    ],
)
def test_a_time_is_given_in_days_up_to_the_length_of_a_rotation(ahead: int, words: str) -> None:
    assert filters.relative(NOW + ahead, NOW) == words


def test_the_script_has_the_same_steps() -> None:
    script = (STATIC / "js" / "desk.js").read_text(encoding="utf-8")
    (steps,) = re.findall(r"^const STEPS = (\[.+?\]);", script, re.M | re.S)
    theirs = json.loads(re.sub(r",\s*\]", "]", steps))
    assert theirs == [[least // SECOND, length // SECOND, name] for least, length, name in filters._STEPS]
