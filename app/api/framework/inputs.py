"""Words that inputs share."""

from __future__ import annotations

from typing import Any, Final

from app.errors import FieldProblem, ValidationFailed

SLUG: Final = "Workspace slug. Optional if you belong to exactly one workspace."
EXPECTED_REVISION: Final = (
    "The `revision` that was read: if it is another one now, nothing is changed and the answer is a Conflict.\n"
    "Left out or null: not checked."
)


def require_values(**given: Any) -> None:
    """Null is a value, not an absence: raises ValidationFailed for each of these inputs, by their names, that is null.

    For what a thing cannot be without. What is left out stays as it is.
    """
    message = "This cannot be null. Leave it out to keep it as it is."
    if faults := [FieldProblem(name, "REQUIRED", message) for name, value in given.items() if value is None]:
        raise ValidationFailed(*faults)
