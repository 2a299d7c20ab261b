"""Changing several API keys at once: a page that names those in use, then one with a result for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from litestar import Response, get, post
from litestar.di import NamedDependency

from app import catalogue
from app.access.policy import Action
from app.clock import DAY
from app.errors import FieldProblem, Problem, ValidationFailed
from app.keys import service as keys
from app.keys.key import ApiKey, Status
from app.rotations import service as rotations
from app.rotations.start import Started
from app.web import key_changes
from app.web import rotations as rotation_pages
from app.web.framework.page import Page
from app.web.key_creation import LIST
from app.web.presentation.filters import REASONS, day

# A key that was used since then is in use: a job of the week must not be forgotten.
IN_USE_DAYS: Final = 7
EXPIRY_DAYS: Final = (30, 90, 180, 365)
# As many as an answer with a secret for each can carry; a page of the list has fewer.
MOST: Final = rotations.MOST_AT_ONCE


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one key; `secret` is that of its successor."""

    key: ApiKey
    words: str
    is_done: bool = True
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """`cuts_off`: programs that use the key fail. `make` changes the keys and has one result for each, in their order."""

    action: Action
    verb: str
    done: str
    cuts_off: bool
    make: Callable[[Page, Sequence[ApiKey]], Awaitable[list[Result]]]


async def _suspend(page: Page, chosen: Sequence[ApiKey]) -> list[Result]:
    answers = await keys.suspend_all(page.actor, _ids(chosen), slug=page.slug)
    return [_result(key, answer, "Suspended") for key, answer in zip(chosen, answers, strict=True)]


async def _resume(page: Page, chosen: Sequence[ApiKey]) -> list[Result]:
    """Ends only the suspensions that the page showed."""
    seen = set(page.form.texts("suspension"))
    wanted = [key for key in chosen if _suspension(key) in seen]
    changed = await keys.resume_all(page.actor, _ids(wanted), slug=page.slug) if wanted else []
    answers = dict(zip(_ids(wanted), changed, strict=True))
    return [_result(key, answers[key.id], "Resumed") if key.id in answers else _not_resumed(key) for key in chosen]


async def _revoke(page: Page, chosen: Sequence[ApiKey]) -> list[Result]:
    reason, note = key_changes.chosen_reason(page.form.text("reason")), page.form.text("note")
    answers = await keys.revoke_all(page.actor, _ids(chosen), reason, note, slug=page.slug)
    return [_result(key, answer, "Revoked") for key, answer in zip(chosen, answers, strict=True)]


async def _rotate(page: Page, chosen: Sequence[ApiKey]) -> list[Result]:
    options = rotations.RotationOptions(deadline=rotation_pages.chosen_deadline(page))
    answers = await rotations.start_all(page.actor, _ids(chosen), options, slug=page.slug, idempotency_key=page.form.sending)
    return [_rotated(key, answer) for key, answer in zip(chosen, answers, strict=True)]


async def _extend(page: Page, chosen: Sequence[ApiKey]) -> list[Result]:
    """Never shortens a key's life."""
    until = _chosen_expiry(page)
    later = {key.id for key in chosen if key.expires_at is None or key.expires_at >= until}
    extended = [key for key in chosen if key.id not in later]
    changed = await keys.update_all(page.actor, _ids(extended), {"expires_at": until}, slug=page.slug) if extended else []
    answers = dict(zip(_ids(extended), changed, strict=True))
    words = f"Expires on {day(until, page.zone)}"
    return [_unchanged(key, page.zone) if key.id in later else _result(key, answers[key.id], words) for key in chosen]


CHANGES: Final[Mapping[str, Change]] = {
    "suspension": Change(Action.SUSPEND_API_KEY, "Suspend", "suspended", cuts_off=True, make=_suspend),
    "resumption": Change(Action.RESUME_API_KEY, "Resume", "resumed", cuts_off=False, make=_resume),
    "revocation": Change(Action.REVOKE_API_KEY, "Revoke", "revoked", cuts_off=True, make=_revoke),
    "rotation": Change(Action.ROTATE_API_KEY, "Rotate", "being rotated", cuts_off=False, make=_rotate),
    "extension": Change(Action.UPDATE_API_KEY, "Extend", "extended", cuts_off=False, make=_extend),
}
_PATHS: Final = [f"{LIST}/bulk/{name}" for name in CHANGES]


@get(_PATHS)
async def confirmation(page: NamedDependency[Page]) -> Response[str]:
    """Without any key it leads back to the list."""
    page.require(_change(page).action)
    chosen = await _chosen(page, parse_qs(page.search.decode("latin-1")).get("key", []))
    return await _confirm(page, chosen, 200) if chosen else page.go(page.to("settings", "api-keys"))


@post(_PATHS, status_code=200)
async def make(page: NamedDependency[Page]) -> Response[str]:
    """A key that came into use after the page was shown is left alone if the change would cut its callers off."""
    change, offered = _change(page), await _chosen(page, page.form.texts("offered"))
    page.require(change.action)
    chosen = [key for key in offered if key.id in page.form.texts("key")]
    surprising = {key.id for key in chosen if change.cuts_off and _is_in_use(key, page.now)} - set(page.form.texts("inUse"))
    try:
        if not chosen:
            raise ValidationFailed(FieldProblem("key", "REQUIRED", "Select at least one key."))
        made = await change.make(page, [key for key in chosen if key.id not in surprising]) if len(surprising) < len(chosen) else []
    except ValidationFailed as problem:
        page.form = page.form.refused(problem)
        return await _confirm(page, offered, 422)
    by_key = {result.key.id: result for result in made}
    results = [
        by_key.get(key.id) or Result(key, "Not changed: it was used while this page was open", is_done=False) for key in chosen
    ]
    return page.show("keys/bulk_results.html", change=change, results=results, catalogue=catalogue.current())


async def _confirm(page: Page, chosen: Sequence[ApiKey], status: int) -> Response[str]:
    impacts = await rotations.impacts(page.access, chosen)
    in_use = [key for key in chosen if _is_in_use(key, page.now)]
    change = _change(page)
    return page.show(
        "keys/bulk.html",
        status,
        change=change,
        name=page.path.rpartition("/")[2],
        chosen=sorted(chosen, key=lambda key: key not in in_use),
        in_use=in_use,
        impacts=impacts,
        # Whether it is selected: at first all that it changes but those in use, afterwards as the user has chosen.
        is_selected=lambda key: key.id in page.form.texts("key") if page.form.values else _is_meant(change, key, in_use),
        suspensions=[_suspension(key) for key in chosen if key.suspended_at is not None] if change.make is _resume else [],
        reasons=REASONS,
        days=rotation_pages.DEADLINE_DAYS if change.make is _rotate else EXPIRY_DAYS,
        since=page.form.text("since") or str(page.now),
        catalogue=catalogue.current(),
    )


async def _chosen(page: Page, key_ids: Sequence[str]) -> list[ApiKey]:
    """The keys of the workspace among these, in this order, each once."""
    wanted = list(dict.fromkeys(key_ids))[:MOST]
    found = await keys.find_many(page.access, wanted)
    return [found[key_id] for key_id in wanted if key_id in found]


def _change(page: Page) -> Change:
    return CHANGES[page.path.rpartition("/")[2]]


def _is_in_use(key: ApiKey, now: int) -> bool:
    return key.status(now) is Status.ACTIVE and key.last_used_at is not None and key.last_used_at > now - IN_USE_DAYS * DAY


def _is_meant(change: Change, key: ApiKey, in_use: Sequence[ApiKey]) -> bool:
    return key.suspended_at is not None if change.make is _resume else not (change.cuts_off and key in in_use)


def _suspension(key: ApiKey) -> str:
    """Identifies one suspension of one key."""
    return f"{key.id} {key.suspension_version}"


def _ids(chosen: Sequence[ApiKey]) -> list[str]:
    return [key.id for key in chosen]


def _result(key: ApiKey, answer: ApiKey | Problem, words: str) -> Result:
    return Result(key, str(answer), is_done=False) if isinstance(answer, Problem) else Result(answer, words)


def _rotated(key: ApiKey, answer: Started | Problem) -> Result:
    if isinstance(answer, Problem):
        return _result(key, answer, "")
    return Result(key, "Being rotated" if answer.secret else "Being rotated; its new secret was shown before", secret=answer.secret)


def _unchanged(key: ApiKey, zone: str) -> Result:
    return Result(
        key, "Unchanged: it does not expire" if key.expires_at is None else f"Unchanged: it expires on {day(key.expires_at, zone)}"
    )


def _not_resumed(key: ApiKey) -> Result:
    if key.suspended_at is None:
        return Result(key, "Unchanged: it is not suspended")
    return Result(key, "Not changed: it was suspended while this page was open", is_done=False)


def _chosen_expiry(page: Page) -> int:
    """Counted from when the form was shown, so that sending it twice extends once. Raises ValidationFailed."""
    text = page.form.text("days")
    if text not in map(str, EXPIRY_DAYS):
        raise ValidationFailed(FieldProblem("days", "INVALID", "Choose one of the offered times."))
    return rotation_pages.shown_at(page) + int(text) * DAY


HANDLERS = (confirmation, make)
