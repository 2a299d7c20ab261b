"""For how long a node has a job to itself."""

from __future__ import annotations

from typing import Final

from app.clock import SECOND

# How long a node that died keeps a job from the others; one that lives moves the end on before.
LEASE: Final = 3 * SECOND
