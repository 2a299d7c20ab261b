"""Rotating a key in four steps: a new one, put into place, seen taking over, and the old one revoked."""

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
from app.rotations.rotation import OnDeadline, Progress, State
from app.usage import callers
from app.versions import Stale, version_of_all
from app.web.live import Live, Subject
from app.web.page import Page, with_query
from app.web.secret import first_use

ROTATION: Final = "/w/{slug:str}/settings/api-keys/{key_id:str}/rotation"
DEADLINE_DAYS: Final = (1, 3, 7, 14, 30)
QUIET_SECONDS: Final = {900: "15 minutes", 3_600: "1 hour", 21_600: "6 hours", 86_400: "1 day"}
STEPS: Final = ("Create the new key", "Put it into your application", "Watch it take over", "Revoke the old key")
# Which of the steps a run is at; those before it are done.
STEP_OF: Final = {State.ISSUED: 1, State.IN_USE: 2, State.DRAINING: 2, State.READY: 3, State.COMPLETED: 4, State.CANCELLED: 4}


@get(ROTATION)
async def show(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """Where it was left: the run as it stands, or the form that begins one."""
    key = await keys.get(page.actor, key_id, slug=page.slug)
    run = await rotations.of_key(page.actor, key_id, slug=page.slug)
    if run and (run.is_open or key.is_over(page.now)):
        return _page(page, run)
    page.require(Action.ROTATE_API_KEY)
    return await _form(page, key, 200)


@post(ROTATION, status_code=200)
async def start(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """Sent twice it is one run; the second answer shows where it stands, and offers another secret if nobody uses the first."""
    page.require(Action.ROTATE_API_KEY)
    key = await keys.get(page.actor, key_id, slug=page.slug)
    run = await rotations.of_key(page.actor, key_id, slug=page.slug)
    if run and run.is_open:
        return page.go(_address(page, run))
    try:
        started = await _start(page, key_id)
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _form(page, key, 422)
    run = started.progress
    if started.secret is None:
        return page.go(_address(page, run))
    return _started(page, run, started.secret)


@get(f"{ROTATION}/events")
async def events(
    page: NamedDependency[Page], live: NamedDependency[Live], slug: FromPath[str], key_id: FromPath[str]
) -> Response[str]:
    """The live part of the page, again whenever it changes."""
    run = await _run(page, key_id)
    subject = Subject(run.rotation.id, run.rotation.workspace_id, mark=rotations.mark, look=rotations.again, shape=_shape)
    return live.stream(
        page.signed_in,
        subject,
        run,
        allowed=lambda: rotations.require(page.actor, run),
        render=lambda seen: page.part("rotations/page.html", "live", **_context(page, seen)),
    )


@post(f"{ROTATION}/completion", status_code=200)
async def complete(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """Not ready: says who would be cut off, and asks once more; again if these are others when it is forced."""
    run, form = await _run(page, key_id), page.form
    try:
        done = await rotations.complete(page.actor, run.rotation.id, force=form.has("force"), seen=form.text("seen"))
    except (RotationNotReady, Stale) as problem:
        run, stale = await _run(page, key_id), isinstance(problem, Stale)
        return page.show("rotations/not_ready.html", 409, run=run, stale=stale, address=_address(page, run))
    return page.go(_address(page, done))


@post(f"{ROTATION}/cancellation", status_code=200)
async def cancel(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """Of a successor that is in use: says so, and asks once more; again if others use it when it is forced."""
    run, form = await _run(page, key_id), page.form
    if run.is_open and run.successor.last_used_at is not None and not form.has("force"):
        return await _in_use(page, run)
    try:
        await rotations.cancel(page.actor, run.rotation.id, force=form.has("force"), seen=form.text("seen"))
    except Stale:
        return await _in_use(page, await _run(page, key_id), stale=True)
    return page.go(page.to("settings", "api-keys", run.predecessor.id))


@post(f"{ROTATION}/extension", status_code=200)
async def extend(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    run = await _run(page, key_id)
    later = min(max(page.now, run.rotation.deadline) + _days(page) * clock.DAY, run.rotation.latest_deadline)
    return page.go(with_query(_address(page, await rotations.extend(page.actor, run.rotation.id, later)), done="extended"))


@post(f"{ROTATION}/dismissals", status_code=200)
async def dismiss(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    run = await _run(page, key_id)
    return page.go(_address(page, await rotations.dismiss(page.actor, run.rotation.id, page.form.text("caller"))))


@post(f"{ROTATION}/replacement", status_code=200)
async def replace_unused(page: NamedDependency[Page], slug: FromPath[str], key_id: FromPath[str]) -> Response[str]:
    """The secret of a new key that nobody uses was lost: another takes its place in the same run. Sent twice it is one."""
    page.require(Action.CREATE_API_KEY)
    run = await _run(page, key_id)
    if page.form.text("successor") != run.successor.id:
        return page.go(_address(page, run))
    made = await rotations.replace_unused(page.actor, run.successor.id, slug=page.slug)
    run = await rotations.get(page.actor, run.rotation.id)
    return _started(page, run, made.secret) if made.secret else page.go(_address(page, run))


async def _start(page: Page, key_id: str) -> rotations.Started:
    on_deadline = OnDeadline.REVOKE if page.form.text("onDeadline") == OnDeadline.REVOKE else OnDeadline.KEEP_AND_ALERT
    quiet = page.form.text("quiet")
    return await rotations.start(
        page.actor,
        key_id,
        slug=page.slug,
        # From the start of the form on, so that the same form sent again asks for the same thing.
        deadline=_since(page.form.text("since"), page.now) + _days(page) * clock.DAY,
        on_deadline=on_deadline,
        quiet_seconds=int(quiet) if quiet.isdecimal() and int(quiet) in QUIET_SECONDS else rotations.DEFAULT_QUIET_SECONDS,
        idempotency_key=page.form.sending,
    )


def _since(text: str, now: int) -> int:
    """When the form was made, if that is not long ago; a form left open for hours counts from now."""
    return int(text) if text.isdecimal() and now - clock.HOUR <= int(text[:20]) <= now else now


def _days(page: Page) -> int:
    text = page.form.text("days", "7")
    if not text.isdecimal() or int(text[:6]) not in DEADLINE_DAYS:
        raise ValidationFailed(FieldProblem("days", "INVALID", "Choose one of the offered times."))
    return int(text)


async def _run(page: Page, key_id: str) -> Progress:
    found = await rotations.of_key(page.actor, key_id, slug=page.slug)
    if found is None:
        raise NotFound("rotation")
    return found


async def _form(page: Page, key: ApiKey, status: int) -> Response[str]:
    if key.status(page.now) is not Status.ACTIVE:
        raise Conflict(f"This key is {key.status(page.now).lower()}; only an active key can be rotated.")
    return page.show(
        "rotations/new.html",
        status,
        key=key,
        callers=(await callers.of_keys([key.id]))[key.id],
        environment=catalogue.current().environment(key.environment),
        since=page.form.text("since") or str(page.now),
        days=DEADLINE_DAYS,
        quiet=QUIET_SECONDS,
        steps=STEPS,
        address=page.to("settings", "api-keys", key.id),
    )


async def _in_use(page: Page, run: Progress, *, stale: bool = False) -> Response[str]:
    using = (await callers.of_keys([run.successor.id]))[run.successor.id]
    seen = version_of_all(caller.id for caller in using)
    return page.show("rotations/in_use.html", 409, run=run, callers=using, seen=seen, stale=stale, address=_address(page, run))


def _started(page: Page, run: Progress, secret: str) -> Response[str]:
    address = _address(page, run)
    return page.show(
        "rotations/started.html", 201, run=run, secret=secret, steps=STEPS, step=1, address=address, **first_use(secret)
    )


def _page(page: Page, run: Progress) -> Response[str]:
    return page.show("rotations/page.html", **_context(page, run))


def _context(page: Page, run: Progress) -> dict[str, Any]:
    return {
        "run": run,
        "steps": STEPS,
        "step": STEP_OF[run.state],
        "days": [days for days in DEADLINE_DAYS if page.now + days * clock.DAY <= run.rotation.latest_deadline],
        "address": _address(page, run),
    }


def _shape(run: Progress) -> object:
    """What must have changed for the page to be worth showing again."""
    used = (run.predecessor.last_used_at, run.successor.last_used_at)
    seen = tuple(
        (each.caller.id, each.caller.last_seen_at, each.moved, each.dismissed, each.on_successor_at) for each in run.callers
    )
    return run.state, used, seen, run.rotation, run.deadline_passed


def _address(page: Page, run: Progress) -> str:
    return page.to("settings", "api-keys", run.predecessor.id, "rotation")


HANDLERS = (show, start, events, complete, cancel, extend, dismiss, replace_unused)
