"""Words that inputs share."""

from __future__ import annotations

from typing import Final

SLUG: Final = "A slug; may be left out by who has only one workspace."
