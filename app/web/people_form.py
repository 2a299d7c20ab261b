"""What the pages about people share: a refused form shown again, the way in, and what each role may in words."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response

from app.access.actor import Role
from app.accounts.session import SignedIn
from app.errors import Conflict, NotAllowed, Problem, SignInFailed, TooManyAttempts, ValidationFailed
from app.web.gate import Gate
from app.web.page import Page

REFUSALS: Final = (ValidationFailed, SignInFailed, Conflict, NotAllowed, TooManyAttempts)
ROLES: Final = {
    Role.VIEWER: "Reads everything here, changes nothing.",
    Role.EDITOR: "Creates, changes and revokes API keys.",
    Role.OWNER: "Everything an editor may, and members, plan and settings.",
}
# Of a refusal that belongs to no field of the form; it stands above them all.
WHOLE: Final = "form"
_STATUSES: Final[dict[type[Problem], int]] = {NotAllowed: 403, Conflict: 409, TooManyAttempts: 429}


def again(page: Page, template: str, problem: Problem, **context: Any) -> Response[str]:
    """The form with what was typed and what is wrong with it; with `Retry-After` for who has tried too often."""
    page.form = page.form.refused(problem) if isinstance(problem, ValidationFailed) else page.form.wrong(WHOLE, problem.message)
    response = page.show(template, _STATUSES.get(type(problem), 422), **context)
    if isinstance(problem, TooManyAttempts):
        response.headers["retry-after"] = str(problem.retry_after_seconds)
    return response


def enter(page: Page, gate: Gate, signed_in: SignedIn, address: str) -> Response[str]:
    """On to a page with the new session's cookie."""
    return page.go(address, set_cookie=gate.cookie(signed_in.token))
