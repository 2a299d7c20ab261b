"""Directories of the files that are not Python: next to `app/` in a checkout, inside it in a wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _find(name: str) -> Path:
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


TEMPLATES = _find("templates")
STATIC = _find("static")
MIGRATIONS = _find("migrations")
OPERATIONS = _find("graphql") / "operations"
SCHEMA = _find("graphql") / "schema.graphql"
HISTORY = _find("graphql") / "history"
DOCS = _find("docs")
DEFAULT_CATALOGUE = _PACKAGE / "catalogue.toml"
