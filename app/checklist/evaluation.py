"""The rules of the checklist: pure functions of the facts, the catalogue and the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.catalogue import Catalogue
from app.checklist.item import (
    ATTESTED_DAYS,
    JUDGED_AFTER_DAYS,
    MISPLACED_DAYS,
    USE_DAYS,
    VISIT_DAYS,
    Breach,
    Checklist,
    Facts,
    ItemName,
    Remedy,
    Result,
)
from app.clock import DAY
from app.keys.living import LivingKey


def evaluate(facts: Facts, known: Catalogue, now: int) -> Checklist:
    """All items as they are at `now`."""
    return Checklist(tuple(rule(facts, known, now) for rule in _RULES.values()))


def _environments_separated(facts: Facts, known: Catalogue, now: int) -> Result:
    """A gateway that states its environment reveals a key of another one. Without such requests, only a workspace whose keys are
    all for production is suspicious: its tests use some key, too."""
    name = ItemName.ENVIRONMENTS_SEPARATED
    cause = "Refused in another environment"
    if breaches := [_breach(key, cause, None) for key in facts.keys if key.id in facts.misplaced]:
        what = _count(len(breaches), "key was", "keys were")
        reason = (
            f"In the last {MISPLACED_DAYS} days {what} refused in another environment: a program uses it where it does not belong."
            " Give that program a key of its environment."
        )
        return Result(name, False, reason, _sorted(breaches), Remedy.CREATE_KEY)
    used = {key.environment for key in facts.keys}
    if len(facts.keys) > 1 and all(_is_production(known, each) for each in used) and _has_others(known):
        reason = f"All {len(facts.keys)} keys are for production. Tests and development need keys of their own."
        return Result(name, False, reason, remedy=Remedy.CREATE_KEY)
    if not facts.keys:
        return Result(name, True, "No key is in use.")
    where = f"in {_count(len(used), 'environment')}"
    many = _count(len(facts.keys), "key is", "keys are")
    return Result(name, True, f"{many} {where}, and none was refused in another one in the last {MISPLACED_DAYS} days.")


def _least_permissions(facts: Facts, known: Catalogue, now: int) -> Result:
    name, breaches = ItemName.LEAST_PERMISSIONS, []
    for key in facts.keys:
        unused = _unused(facts, key)
        if unused and len(unused) == len(key.permissions):
            breaches.append(_breach(key, f"No request with it in {min(USE_DAYS, _age_days(key, now))} days", Remedy.REVOKE, unused))
        elif unused:
            breaches.append(_breach(key, f"{len(unused)} of {len(key.permissions)} unused", Remedy.TRIM_PERMISSIONS, unused))
    if breaches:
        many = _count(len(breaches), "key has", "keys have")
        return Result(name, False, f"{many} permissions that nothing used in the last {USE_DAYS} days.", _sorted(breaches))
    young = sum(not _is_judged(key, now) for key in facts.keys)
    if facts.keys and young == len(facts.keys):
        return Result(name, True, f"No key is {JUDGED_AFTER_DAYS} days old yet: it is too early to judge what they use.")
    more = f" {_count(young, 'newer key is', 'newer keys are')} not judged yet." if young else ""
    return Result(name, True, f"Each permission of a key was used in the last {USE_DAYS} days.{more}" if facts.keys else _NO_KEYS)


def _production_rotated(facts: Facts, known: Catalogue, now: int) -> Result:
    """A key that is being rotated is on its way; whether the old one is revoked in time is another item."""
    name, rotating = ItemName.PRODUCTION_ROTATED, {rotation.predecessor_id for rotation in facts.rotations}
    keys = [key for key in facts.keys if _is_production(known, key.environment)]
    breaches = [found for key in keys if key.id not in rotating and (found := _of_production(key, known, now))]
    if breaches:
        late = sum(each.remedy is Remedy.ROTATE for each in breaches)
        parts = (
            [_count(late, "production key is", "production keys are") + " past the date of the rotation schedule"] if late else []
        )
        if ends := len(breaches) - late:
            parts.append(_count(ends, "production key has", "production keys have") + " an expiry, at which requests fail")
        return Result(name, False, "; ".join(parts) + ".", _sorted(breaches))
    if not keys:
        return Result(name, True, "There is no production key.")
    return Result(name, True, f"{_count(len(keys), 'production key is', 'production keys are')} on schedule, without an expiry.")


def _temporary_expiring(facts: Facts, known: Catalogue, now: int) -> Result:
    """New keys cannot break it; keys can that are older than the catalogue's rule."""
    name = ItemName.TEMPORARY_EXPIRING
    keys = [key for key in facts.keys if known.environment(key.environment).must_expire]
    if breaches := [found for key in keys if (found := _of_temporary(key, known))]:
        reason = f"{_count(len(breaches), 'temporary key lives', 'temporary keys live')} longer than the catalogue allows."
        return Result(name, False, reason, _sorted(breaches))
    if not keys:
        return Result(name, True, "There is no temporary key.")
    return Result(name, True, f"{_count(len(keys), 'temporary key expires', 'temporary keys expire')} in time.")


def _rotated_revoked(facts: Facts, known: Catalogue, now: int) -> Result:
    """A key whose replacement was finished is revoked with it, so only open rotations can leave old keys behind."""
    name, by_id = ItemName.ROTATED_REVOKED, {key.id: key for key in facts.keys}
    late = [
        (by_id[each.predecessor_id], each) for each in facts.rotations if each.deadline_passed(now) and each.predecessor_id in by_id
    ]
    if late:
        breaches = [
            _breach(key, f"Replaced; its deadline passed {_ago(rotation.deadline, now)}", Remedy.FINISH_ROTATION)
            for key, rotation in late
        ]
        reason = f"{_count(len(breaches), 'old key still works', 'old keys still work')} after the deadline of its rotation."
        return Result(name, False, reason, _sorted(breaches))
    if facts.rotations:
        running = _count(len(facts.rotations), "rotation is", "rotations are")
        return Result(name, True, f"No old key works past its deadline. {running} open and in time.")
    return Result(name, True, "No key that was replaced still works.")


def _usage_reviewed(facts: Facts, known: Catalogue, now: int) -> Result:
    name, last = ItemName.USAGE_REVIEWED, facts.visits[0].at if facts.visits else None
    visits = tuple(visit for visit in facts.visits if now - visit.at <= VISIT_DAYS * DAY)
    if visits and last is not None:
        reason = f"{_count(len(visits), 'member')} opened the alerts or the usage of a key in the last {VISIT_DAYS} days."
        return Result(name, True, reason, visits=visits)
    if not facts.keys:
        return Result(name, True, "No key is in use, so there is no usage to look at.")
    since = f"in the last {VISIT_DAYS} days" if last is None else f"since {_ago(last, now)}"
    return Result(name, False, f"No member has opened the alerts or the usage of a key {since}.", remedy=Remedy.REVIEW_USAGE)


def _keys_out_of_code(facts: Facts, known: Catalogue, now: int) -> Result:
    """A key that is found in a repository contradicts an earlier confirmation."""
    attested = _attested(ItemName.KEYS_OUT_OF_CODE, facts, now)
    if not attested.passed or attested.attestation is None:
        return attested
    confirmed_at = attested.attestation.at
    leaks = [each for each in facts.leaks if each.at > confirmed_at]
    if not leaks:
        return attested
    breaches = tuple(
        Breach(each.id, each.name, each.prefix, each.at, f"Revoked {_ago(each.at, now)}: committed to a repository", None)
        for each in leaks
    )
    many = _count(len(leaks), "key was", "keys were")
    reason = f"{many} found in a repository after this was confirmed. Search the code, and confirm again."
    return Result(attested.name, False, reason, breaches, Remedy.ATTEST, attested.attestation, attested.valid_until)


def _compromise_process(facts: Facts, known: Catalogue, now: int) -> Result:
    return _attested(ItemName.COMPROMISE_PROCESS, facts, now)


def _attested(name: ItemName, facts: Facts, now: int) -> Result:
    days, found = ATTESTED_DAYS[name], (facts.attestations or {}).get(name)
    if found is None:
        reason = f"Not confirmed yet. Keydesk cannot check this item; a confirmation is valid for {days} days."
        return Result(name, False, reason, remedy=Remedy.ATTEST)
    until = found.at + days * DAY
    if now >= until:
        reason = f"It was last confirmed {_ago(found.at, now)}; a confirmation is valid for {days} days."
        return Result(name, False, reason, remedy=Remedy.ATTEST, attestation=found, valid_until=until)
    reason = f"Confirmed {_ago(found.at, now)}; to be renewed in {_count(-(-(until - now) // DAY), 'day')}."
    return Result(name, True, reason, attestation=found, valid_until=until)


_Rule = Callable[[Facts, Catalogue, int], Result]
_RULES: Final[Mapping[ItemName, _Rule]] = {
    ItemName.ENVIRONMENTS_SEPARATED: _environments_separated,
    ItemName.LEAST_PERMISSIONS: _least_permissions,
    ItemName.PRODUCTION_ROTATED: _production_rotated,
    ItemName.TEMPORARY_EXPIRING: _temporary_expiring,
    ItemName.ROTATED_REVOKED: _rotated_revoked,
    ItemName.USAGE_REVIEWED: _usage_reviewed,
    ItemName.KEYS_OUT_OF_CODE: _keys_out_of_code,
    ItemName.COMPROMISE_PROCESS: _compromise_process,
}
_NO_KEYS: Final = "No key is in use."


def _is_judged(key: LivingKey, now: int) -> bool:
    return now >= key.created_at + JUDGED_AFTER_DAYS * DAY


def _unused(facts: Facts, key: LivingKey) -> tuple[str, ...]:
    found = (facts.unused or {}).get(key.id)
    return tuple(name for name in key.permissions if name in found) if found else ()


def _of_production(key: LivingKey, known: Catalogue, now: int) -> Breach | None:
    every = known.environment(key.environment).rotate_every_days
    if every is not None and now >= (rotate_by := key.created_at + every * DAY):
        return _breach(key, f"To be rotated every {every} days; due {_ago(rotate_by, now)}", Remedy.ROTATE)
    if key.expires_at is not None:
        left = _count(-(-(key.expires_at - now) // DAY), "day")
        return _breach(key, f"Expires in {left}; a production key is rotated instead", Remedy.REMOVE_EXPIRY)
    return None


def _of_temporary(key: LivingKey, known: Catalogue) -> Breach | None:
    longest = known.environment(key.environment).max_lifetime_days
    if key.expires_at is None:
        return _breach(key, "It never expires", Remedy.SET_EXPIRY)
    if longest is not None and key.expires_at > key.lifetime_started_at + longest * DAY:
        return _breach(key, f"It lives longer than {longest} days", Remedy.SET_EXPIRY)
    return None


def _breach(key: LivingKey, cause: str, remedy: Remedy | None, permissions: tuple[str, ...] = ()) -> Breach:
    return Breach(key.id, key.name, key.prefix, key.created_at, cause, remedy, permissions)


def _sorted(breaches: list[Breach]) -> tuple[Breach, ...]:
    return tuple(sorted(breaches, key=lambda each: (each.at, each.key_id)))


def _is_production(known: Catalogue, environment: str) -> bool:
    found = known.environment(environment)
    return found.prefix == "live" and not found.must_expire


def _has_others(known: Catalogue) -> bool:
    """Whether the catalogue offers an environment that is not for production."""
    return any(not _is_production(known, name) and not each.must_expire for name, each in known.environments.items())


def _age_days(key: LivingKey, now: int) -> int:
    return (now - key.created_at) // DAY


def _ago(instant: int, now: int) -> str:
    days = (now - instant) // DAY
    return "today" if days < 1 else f"{_count(days, 'day')} ago"


def _count(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
