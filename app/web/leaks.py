"""What to do when a key has leaked: who used it, revoke it now or replace it within minutes, and what to check next."""

from __future__ import annotations

from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue
from app.errors import FieldProblem, ValidationFailed
from app.keys import service as keys
from app.keys.key import Status
from app.rotations import service as rotations
from app.usage.caller import Caller
from app.web.framework.page import Page
from app.web.key_form import parse_local_time
from app.web.presentation.filters import LEAK_REASONS
from app.web.presentation.key_status import key_status
from app.web.rotations import DEADLINE_MINUTES

MOST_CALLERS: Final = 50


@get("/w/{slug:str}/settings/api-keys/{key_id:str}/leak")
async def show(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """Its forms lead to the key's revocation and rotation. `suspected`: since when someone else may have had the key."""
    key = await keys.find(page.access, key_id)
    succession, suspected = await rotations.succession(page.access, key), _suspected(page)
    callers, progress = succession.callers, succession.progress
    new = {caller.id for caller in callers if is_new(caller, suspected)}
    return page.show(
        "keys/leak.html",
        422 if page.form.faults else 200,
        key=key,
        callers=sorted(callers, key=lambda caller: caller.id not in new)[:MOST_CALLERS],
        more=len(callers) - MOST_CALLERS,
        new=new,
        suspected=suspected,
        impact=await rotations.impact(page.access, key, callers),
        progress=progress if progress and progress.is_open else None,
        is_active=key.status(page.now) is Status.ACTIVE,
        key_status=key_status(key, page.now, page.zone),
        permissions=[catalogue.current().permission(name) for name in key.permissions],
        reasons=LEAK_REASONS,
        minutes=DEADLINE_MINUTES,
    )


def is_new(caller: Caller, suspected: int | None) -> bool:
    """Whether it was never seen before that instant. Of callers that are not kept apart, nobody knows."""
    return suspected is not None and not caller.folded and caller.first_seen_at >= suspected


def _suspected(page: Page) -> int | None:
    try:
        return parse_local_time(page.query.get("suspected", ""), page.zone)
    except ValidationFailed as problem:
        page.form = page.form.refused(ValidationFailed(FieldProblem("suspected", "INVALID", problem.fields[0].message)))
        return None


HANDLERS = (show,)
