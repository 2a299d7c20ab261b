"""Names of permissions and environments in requests: what left the catalogue stays known while a key has it."""

from __future__ import annotations

import re
from typing import Final

from app import catalogue
from app.keys import store

# Databases refuse to compare with very long texts.
_NAME: Final = re.compile(r"(?=.{1,200}$)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


async def is_permission_known(name: str) -> bool:
    """A permission removed from the catalogue is known while any key has it; this is read each time, not cached."""
    return name in catalogue.current().permissions or (_NAME.fullmatch(name) is not None and await store.is_permission_held(name))


async def is_environment_known(name: str) -> bool:
    return name in catalogue.current().environments or (_NAME.fullmatch(name) is not None and await store.is_environment_held(name))
