"""Snippets next to a new secret: its environment variable, and a command to try it with."""

from __future__ import annotations

from app import catalogue


def try_it_snippet(secret: str) -> dict[str, str]:
    """The snippets for the templates that show a secret."""
    known = catalogue.current()
    return {"variable": f"{known.key_prefix.upper()}_API_KEY={secret}", "try_it": known.try_it.replace("{key}", secret)}
