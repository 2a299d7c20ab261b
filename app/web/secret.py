"""What the page of a new secret offers beside it: the environment variable, and a command to try it with."""

from __future__ import annotations

from app import catalogue


def first_use(secret: str) -> dict[str, str]:
    """For the templates that show a secret, once."""
    known = catalogue.current()
    return {"variable": f"{known.key_prefix.upper()}_API_KEY={secret}", "try_it": known.try_it.replace("{key}", secret)}
