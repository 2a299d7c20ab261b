"""Words and arguments that inputs share."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import strawberry

SLUG: Final = "A slug; may be left out by who has only one workspace."

First: TypeAlias = Annotated[int | None, strawberry.argument(description="1 to 100; 20 when neither is given.")]
Last: TypeAlias = Annotated[int | None, strawberry.argument(description="1 to 100, from the end.")]
