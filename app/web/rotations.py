"""Rotating a key in four steps: create a new one, deploy it, watch it take over, and revoke the old one."""

from __future__ import annotations

from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import catalogue, clock
from app.access.policy import Action
from app.errors import Conflict, FieldProblem, NotFound, RotationNotReady, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.rotations import service as rotations
from app.rotations.rotation import OnDeadline, Progress, Rotation, State
from app.usage import caller_service
from app.usage.caller import Caller
from app.versions import Stale, version_of_all
from app.web.framework.page import Page, with_query
from app.web.framework.sse import EventStreams

ROTATION: Final = "/w/{slug:str}/settings/api-keys/{key_id:str}/rotation"
DEADLINE_DAYS: Final = (1, 3, 7, 14, 30)
# After a leak.
DEADLINE_MINUTES: Final = (15, 60)
_MADE_LATELY: Final = 5 * clock.MINUTE
QUIET_SECONDS: Final = {900: "15 minutes", 3_600: "1 hour", 21_600: "6 hours", 86_400: "1 day"}
STEPS: Final = ("Create the new key", "Update your application", "Watch callers move", "Revoke the old key")
# The current step of a rotation; those before it are done.
STEP_OF: Final = {State.ISSUED: 1, State.IN_USE: 2, State.DRAINING: 2, State.READY: 3, State.COMPLETED: 4, State.CANCELLED: 4}


@get(ROTATION)
async def show(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """The key's current rotation, or the form that starts one."""
    key = await keys.find(page.access, key_id)
    found = await rotations.succession(page.access, key)
    if found.progress and (found.progress.is_open or key.is_over(page.now)):
        return _page(page, found.progress)
    page.require(Action.ROTATE_API_KEY)
    return _form(page, key, found.callers, 200)


@post(ROTATION, status_code=200)
async def start(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """The same form sent twice starts one rotation; the second response shows it and offers a new secret if the first is unused."""
    page.require(Action.ROTATE_API_KEY)
    key = await keys.find(page.access, key_id)
    found = await rotations.succession(page.access, key)
    if found.progress and found.progress.is_open:
        return page.go(_address(page, found.progress))
    try:
        started = await _start(page, key_id)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return _form(page, key, found.callers, 422)
    progress = started.progress
    if started.secret is None:
        return page.go(_address(page, progress))
    return _started(page, progress, started.secret)


@get(f"{ROTATION}/events")
async def events(page: NamedDependency[Page], live: NamedDependency[EventStreams], key_id: FromPath[str]) -> Response[str]:
    """Streams the live part of the page whenever it changes."""
    progress = await _run(page, key_id)
    return live.stream(
        page.signed_in,
        # The read that all streams share; each stream checks its own reader's access.
        rotations.watched(page.access, progress, _shown_part),
        progress,
        allowed=lambda: rotations.require(page.actor, progress),
        render=lambda seen: page.part("rotations/page.html", "live", **_context(page, seen)),
    )


@post(f"{ROTATION}/completion", status_code=200)
async def complete(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """If it is not ready, shows the callers that would be cut off and asks to confirm; again if these have changed since."""
    progress, form = await _run(page, key_id), page.form
    try:
        done = await rotations.complete(page.actor, progress.rotation.id, force=form.has("force"), expected=form.text("seen"))
    except (RotationNotReady, Stale) as problem:
        progress, stale = await _run(page, key_id), isinstance(problem, Stale)
        return page.show("rotations/not_ready.html", 409, progress=progress, stale=stale, address=_address(page, progress))
    return page.go(_address(page, done))


@post(f"{ROTATION}/cancellation", status_code=200)
async def cancel(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """If the new key is in use, shows its callers and asks to confirm; again if these have changed since."""
    progress, form = await _run(page, key_id), page.form
    try:
        await rotations.cancel(page.actor, progress.rotation.id, force=form.has("force"), expected=form.text("seen"))
    except (rotations.SuccessorInUse, Stale) as problem:
        return await _in_use(page, await _run(page, key_id), stale=isinstance(problem, Stale))
    return page.go(page.to("settings", "api-keys", progress.predecessor.id))


@post(f"{ROTATION}/extension", status_code=200)
async def extend(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """Extends the deadline that the form showed, so that sending it twice extends once."""
    rotation = (await _run(page, key_id)).rotation
    extended_to = _extended_from(page.form.text("from"), rotation, page.now) + _days(page) * clock.DAY
    later = max(min(extended_to, rotation.latest_deadline), rotation.deadline)
    return page.go(with_query(_address(page, await rotations.extend(page.actor, rotation.id, later)), done="extended"))


@post(f"{ROTATION}/dismissals", status_code=200)
async def dismiss(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    progress = await _run(page, key_id)
    return page.go(_address(page, await rotations.dismiss(page.actor, progress.rotation.id, page.form.text("caller"))))


@post(f"{ROTATION}/restorations", status_code=200)
async def restore(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    progress = await _run(page, key_id)
    return page.go(_address(page, await rotations.restore(page.actor, progress.rotation.id, page.form.text("caller"))))


@post(f"{ROTATION}/replacement", status_code=200)
async def replace_unused(page: NamedDependency[Page], key_id: FromPath[str]) -> Response[str]:
    """Replaces an unused new key whose secret was lost, in the same rotation. The same form sent twice replaces it once."""
    page.require(Action.CREATE_API_KEY)
    progress = await _run(page, key_id)
    if page.form.text("successor") != progress.successor.id:
        return page.go(_address(page, progress))
    made = await rotations.replace_unused(page.actor, progress.successor.id, slug=page.slug)
    progress = await rotations.get(page.actor, progress.rotation.id)
    return _started(page, progress, made.secret) if made.secret else page.go(_address(page, progress))


async def _start(page: Page, key_id: str) -> rotations.Started:
    on_deadline = OnDeadline.REVOKE if page.form.text("onDeadline") == OnDeadline.REVOKE else OnDeadline.KEEP_AND_ALERT
    quiet = page.form.text("quiet")
    return await rotations.start(
        page.actor,
        key_id,
        slug=page.slug,
        # Counted from when the form was made, so that the same form sent again makes the same request.
        deadline=chosen_deadline(page),
        on_deadline=on_deadline,
        quiet_seconds=int(quiet) if quiet.isdecimal() and int(quiet) in QUIET_SECONDS else rotations.DEFAULT_QUIET_SECONDS,
        idempotency_key=page.form.sending,
    )


def chosen_deadline(page: Page) -> int:
    """The deadline of a form: in days, or in minutes if the key has leaked. Raises ValidationFailed."""
    text = page.form.text("minutes")
    if not page.form.has("minutes"):
        return shown_at(page) + _days(page) * clock.DAY
    if text not in map(str, DEADLINE_MINUTES):
        raise ValidationFailed(FieldProblem("deadline", "INVALID", "Choose one of the offered times."))
    return _since(page.form.text("since"), page.now, _MADE_LATELY) + int(text) * clock.MINUTE


def shown_at(page: Page) -> int:
    """When the form was made, if that is recent: times counted from then are the same when the form is sent twice."""
    return _since(page.form.text("since"), page.now, clock.HOUR)


def _since(text: str, now: int, recently: int) -> int:
    """When the form was made, if that is recent; a form left open for longer counts from now."""
    return int(text) if text.isdecimal() and now - recently <= int(text[:20]) <= now else now


def _extended_from(text: str, rotation: Rotation, now: int) -> int:
    """The deadline that the form showed, or its time if the deadline had passed; at the earliest an hour ago."""
    latest = max(now, rotation.deadline)
    return max(min(int(text[:20]), latest), now - clock.HOUR) if text.isdecimal() else latest


def _days(page: Page) -> int:
    text = page.form.text("days", "7")
    if not text.isdecimal() or int(text[:6]) not in DEADLINE_DAYS:
        raise ValidationFailed(FieldProblem("days", "INVALID", "Choose one of the offered times."))
    return int(text)


async def _run(page: Page, key_id: str) -> Progress:
    found = await rotations.of_key(page.access, await keys.find(page.access, key_id))
    if found is None:
        raise NotFound("rotation")
    return found


def _form(page: Page, key: ApiKey, callers: list[Caller], status: int) -> Response[str]:
    if key.status(page.now) is not Status.ACTIVE:
        raise Conflict(f"This key is {key.status(page.now).lower()}; only an active key can be rotated.")
    return page.show(
        "rotations/new.html",
        status,
        key=key,
        callers=callers,
        environment=catalogue.current().environment(key.environment),
        since=page.form.text("since") or str(page.now),
        days=DEADLINE_DAYS,
        quiet=QUIET_SECONDS,
        steps=STEPS,
        address=page.to("settings", "api-keys", key.id),
    )


async def _in_use(page: Page, progress: Progress, *, stale: bool = False) -> Response[str]:
    using = await caller_service.of_key(page.access, progress.successor)
    seen = version_of_all(caller.id for caller in using)
    return page.show(
        "rotations/in_use.html", 409, progress=progress, callers=using, seen=seen, stale=stale, address=_address(page, progress)
    )


def _started(page: Page, progress: Progress, secret: str) -> Response[str]:
    address = _address(page, progress)
    return page.show(
        "rotations/started.html",
        201,
        progress=progress,
        secret=secret,
        steps=STEPS,
        step=1,
        address=address,
    )


def _page(page: Page, progress: Progress) -> Response[str]:
    return page.show("rotations/page.html", **_context(page, progress))


def _context(page: Page, progress: Progress) -> dict[str, Any]:
    return {
        "progress": progress,
        "steps": STEPS,
        "step": STEP_OF[progress.state],
        "extended_from": max(page.now, progress.rotation.deadline),
        "days": [days for days in DEADLINE_DAYS if page.now + days * clock.DAY <= progress.rotation.latest_deadline],
        "address": _address(page, progress),
    }


def _shown_part(progress: Progress) -> object:
    """What must have changed for the page to be sent again."""
    used = (progress.predecessor.last_used_at, progress.successor.last_used_at)
    seen = tuple(
        (each.caller.id, each.caller.last_seen_at, each.moved, each.dismissed, each.on_successor_at) for each in progress.callers
    )
    return progress.state, used, seen, progress.rotation, progress.deadline_passed


def _address(page: Page, progress: Progress) -> str:
    return page.to("settings", "api-keys", progress.predecessor.id, "rotation")


HANDLERS = (show, start, events, complete, cancel, extend, dismiss, restore, replace_unused)
