"""Stores PDFs in memory: when it is full it deletes the oldest, and a restart deletes all."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

MOST_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pdf:
    """A document and the workspace whose keys may read it."""

    workspace_id: str
    title: str
    template: str
    pages: int
    content: bytes = field(repr=False)
    id: str = field(default_factory=lambda: "pdf_" + secrets.token_hex(10))


class PdfStore:
    """Holds at most `most_bytes` of PDFs."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._pdfs: OrderedDict[str, Pdf] = OrderedDict()

    def put(self, pdf: Pdf) -> None:
        self._pdfs[pdf.id] = pdf
        self._bytes += len(pdf.content)
        while self._bytes > self._most_bytes:
            _, oldest = self._pdfs.popitem(last=False)
            self._bytes -= len(oldest.content)

    def find(self, workspace_id: str, pdf_id: str) -> Pdf | None:
        """None also for another workspace's PDF, so that guessing ids reveals nothing."""
        pdf = self._pdfs.get(pdf_id)
        return pdf if pdf is not None and pdf.workspace_id == workspace_id else None
