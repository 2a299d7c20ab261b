"""The layouts of PDFs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Template:
    """A page size and a font. `numbered`: each line begins with its number."""

    name: str
    description: str
    font: str
    size_pt: int
    width_mm: int
    height_mm: int
    margin_mm: int
    numbered: bool = False


TEMPLATES: Final = {
    template.name: template
    for template in (
        Template("letter", "A4 in Times, a paragraph for each line", "times", 12, 210, 297, 25),
        Template("list", "A4 in Helvetica, every line numbered", "helvetica", 11, 210, 297, 20, numbered=True),
        Template("receipt", "a strip of 80 mm in Courier", "courier", 9, 80, 200, 5),
    )
}
