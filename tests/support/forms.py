"""Parses the forms of a page as a browser does, so that tests submit the page's real fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

Pairs = list[tuple[str, str]]


@dataclass
class Form:
    """`names` are all its fields; `values` are the values that it would submit unchanged."""

    action: str
    method: str
    names: set[str] = field(default_factory=set)
    values: Pairs = field(default_factory=list)

    def filled(self, **fields: str | list[str]) -> Pairs:
        """The values that it would submit with these fields filled in. Raises AssertionError for a field that it does not have."""
        assert set(fields) <= self.names, f"{set(fields) - self.names} is not in {self.names}"
        kept = [(name, value) for name, value in self.values if name not in fields]
        typed = [(name, value) for name, given in fields.items() for value in ([given] if isinstance(given, str) else given)]
        return kept + typed


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._select = self._area = ""
        self._option = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("action", ""), given.get("method", "get"))
            self.forms.append(self._open)
        if self._open is None:
            return
        if name := given.get("name", "") if tag in ("input", "select", "textarea", "button") else "":
            self._open.names.add(name)
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            self._option = "value" not in given
            if not self._option:
                self._open.values.append((self._select, given["value"]))
        elif tag == "textarea":
            self._area = name
        elif tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self._open.values.append((name, given.get("value", "")))

    def handle_data(self, data: str) -> None:
        if self._open is not None and (name := self._area or (self._select if self._option else "")):
            self._open.values.append((name, data))
            self._option = False

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def forms_of(page: str) -> list[Form]:
    """The forms of a page, in document order."""
    reader = _Reader()
    reader.feed(page)
    return reader.forms
