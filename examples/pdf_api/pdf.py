"""Renders text as PDF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from examples.pdf_api.templates import Template

# The characters of the standard PDF fonts: Western European, with typographic quotes and the euro sign.
ENCODING: Final = "cp1252"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A complete document."""

    content: bytes
    pages: int


def unprintable(text: str) -> str | None:
    """The first character that the fonts do not contain; None if the whole text can be printed."""
    return next((character for character in text if not character.isprintable() or not _has_glyph(character)), None)


def render(template: Template, title: str, lines: tuple[str, ...]) -> Rendered:
    """Takes a few milliseconds per page and no network. Check all texts with `unprintable` first."""
    document = FPDF(format=(template.width_mm, template.height_mm))
    document.core_fonts_encoding = ENCODING
    document.set_margin(template.margin_mm)
    document.set_auto_page_break(True, template.margin_mm)
    document.set_title(title)
    document.add_page()
    document.set_font(template.font, "B", template.size_pt * 1.5)
    _write(document, title, template.size_pt * 0.75)
    document.ln(template.size_pt * 0.5)
    document.set_font(template.font, "", template.size_pt)
    for number, line in enumerate(lines, start=1):
        _write(document, f"{number}. {line}" if template.numbered else line, template.size_pt * 0.5)
    return Rendered(bytes(document.output()), document.pages_count)


def _write(document: FPDF, text: str, height_mm: float) -> None:
    document.multi_cell(0, height_mm, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _has_glyph(character: str) -> bool:
    try:
        character.encode(ENCODING)
    except UnicodeEncodeError:
        return False
    return True
