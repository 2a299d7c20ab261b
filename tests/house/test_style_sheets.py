"""The style sheets: one typeface, one scale of sizes, one of spaces, and colors that everyone can read and tell apart."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

SHEETS = ("tokens.css", "desk.css", "docs.css", "explorer.css")
PRINT = re.compile(r"@media print \{.*?\n\}", re.S)
DECLARATION = re.compile(r"(?<![\w-])([a-z-]+): ([^;{}]+);")
SPACED = re.compile(r"(padding|margin)(-[a-z]+)*|(row-|column-)?gap")
# What may stand beside the scale: hairs, edges that meet, and sizes that follow the letters around them.
FREE_SPACE = re.compile(r"-?1px|0|auto|[\d.]+(em|vw|vh|dvh|%)|120px|44px")
STATES = ("good", "warn", "bad")
# How the three kinds of color blindness see linear RGB (Machado, Oliveira, Fernandes 2009, complete).
SEEN = {
    "with all colors": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "without green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "without blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
Triple = tuple[float, float, float]


@pytest.fixture
def sheets(root: Path) -> dict[str, str]:
    return {name: (root / "static" / "css" / name).read_text() for name in SHEETS}


def test_every_size_of_text_comes_from_the_scale(sheets: dict[str, str]) -> None:
    sizes = [(name, what, value) for name, what, value in declarations(sheets) if what in ("font", "font-size")]
    assert len(sizes) > 50
    assert [each for each in sizes if not re.search(r"var\(--text-[a-z]+\)|^inherit$|^[\d.]+em$", each[2])] == []
    scale = dict(re.findall(r"(--text-[a-z]+): ([^;]+);", sheets["tokens.css"]))
    assert all(value.endswith("rem") for value in scale.values())
    assert used(sheets, "--text-[a-z]+") == set(scale)


def test_every_space_comes_from_the_scale(sheets: dict[str, str]) -> None:
    spaces = [each for each in declarations(sheets) if SPACED.fullmatch(each[1])]
    assert len(spaces) > 150
    assert [each for each in spaces if not all(FREE_SPACE.fullmatch(part) for part in without_scale(each[2]))] == []
    assert used(sheets, "--space-[a-z0-9]+") == set(re.findall(r"(--space-[a-z0-9]+):", sheets["tokens.css"]))


def test_no_other_weight_is_used_than_the_typeface_has(sheets: dict[str, str]) -> None:
    weights = {value for name, what, value in declarations(sheets) if what == "font-weight"}
    assert weights == {"400", "500", "600", "400 600", "400 500"}


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colors_of_text_are_readable_on_each_of_their_backgrounds(sheets: dict[str, str], scheme: int) -> None:
    colors = palette(sheets, scheme)
    pairs = [(text, on) for text in ("ink", "soft", "brass", *STATES) for on in ("paper", "card", "sunk")]
    pairs += [(text, f"{state}-wash") for state in ("brass", *STATES) for text in ("ink", state)]
    assert [(text, on) for text, on in pairs if contrast(colors[text], colors[on]) < 4.5] == []


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_attention_is_told_from_an_error_and_from_brass_by_everyone(sheets: dict[str, str], scheme: int, seen: str) -> None:
    colors = palette(sheets, scheme)
    for other in ("bad", "brass", "good"):
        assert difference(colors["warn"], colors[other], SEEN[seen]) > 0.09, other


def declarations(sheets: dict[str, str]) -> list[tuple[str, str, str]]:
    """File, property and value; the rules for paper have sizes of their own."""
    return [(name, *found) for name, text in sheets.items() for found in DECLARATION.findall(PRINT.sub("", text))]


def without_scale(value: str) -> list[str]:
    value = value.removesuffix(" !important")
    left = re.sub(r"var\(--(space-[a-z0-9]+|inset|text-[a-z]+)\)", "0", value).replace(",", " ")
    left = re.sub(r"calc\([-\d. *+]+\)|clamp|[()]", " 0 ", left)
    return left.split()


def used(sheets: dict[str, str], pattern: str) -> set[str]:
    return {name for text in sheets.values() for name in re.findall(rf"var\(({pattern})\)", text)}


def palette(sheets: dict[str, str], scheme: int) -> dict[str, Triple]:
    """The colors of a scheme, in linear RGB."""
    found = re.findall(r"--([a-z-]+): light-dark\(#(\w{6}), #(\w{6})\);", sheets["tokens.css"])
    return {name: _linear((light, dark)[scheme]) for name, light, dark in found}


def contrast(one: Triple, other: Triple) -> float:
    """WCAG 2.2, contrast ratio."""
    light, dark = sorted(
        (sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), each, strict=True)) for each in (one, other)), reverse=True
    )
    return (light + 0.05) / (dark + 0.05)


def difference(one: Triple, other: Triple, seen: tuple[Triple, Triple, Triple]) -> float:
    """The distance in Oklab, as someone with this sight sees it; 0.02 is just noticeable."""
    return math.dist(_oklab(_mixed(seen, one)), _oklab(_mixed(seen, other)))


def _linear(color: str) -> Triple:
    red, green, blue = (_decoded(int(color[at : at + 2], 16) / 255) for at in (0, 2, 4))
    return red, green, blue


def _decoded(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _mixed(matrix: tuple[Triple, Triple, Triple], color: Triple) -> Triple:
    first, second, third = (sum(factor * part for factor, part in zip(row, color, strict=True)) for row in matrix)
    return first, second, third


def _oklab(color: Triple) -> Triple:
    cone = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    lab = (
        (0.2104542553, 0.793617785, -0.0040720468),
        (1.9779984951, -2.428592205, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.808675766),
    )
    clipped = tuple(min(max(part, 0.0), 1.0) for part in color)
    long, middle, short = (part ** (1 / 3) for part in _mixed(cone, (clipped[0], clipped[1], clipped[2])))
    return _mixed(lab, (long, middle, short))
