"""Validates the input for a key, field by field, and reports all faults at once."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Final

from app import names
from app.catalogue import Catalogue, Environment
from app.clock import DAY, YEAR
from app.errors import FieldProblem, ValidationFailed
from app.keys import labels, networks
from app.keys.key import ApiKey, KeySettings
from app.keys.secret import mask_secrets

LONGEST_NOTE: Final = 1_000
LONGEST_DESCRIPTION: Final = 500
LONGEST_YEARS: Final = 100
LONGEST_PREFIX: Final = 24


def checked(asked: KeySettings, catalogue: Catalogue, now: int, *, of: ApiKey | None = None) -> KeySettings:
    """The validated and normalized settings. Raises ValidationFailed with every fault.

    `of`: the key being edited. It keeps the permissions and the expiry that it already has, even if the catalogue no longer
    allows them, so that a change of the catalogue never shortens the life of an existing key.
    """
    faults: list[FieldProblem] = []
    if asked.owner is not None and not asked.owner.is_member and (of is None or asked.owner != of.owner):
        faults.append(FieldProblem("owner", "UNKNOWN", "The owner of a key is a member of its workspace."))
    if of is None and asked.environment not in catalogue.environments:
        faults.append(FieldProblem("environment", "UNKNOWN", "Choose one of: " + ", ".join(catalogue.environments) + "."))
    environment = catalogue.environment(asked.environment)
    result = replace(
        asked,
        name=_name(asked.name, faults),
        environment=environment.name,
        permissions=_permissions(asked.permissions, catalogue, frozenset(of.permissions if of else ()), faults),
        expires_at=_expiry(asked.expires_at, environment, of, now, faults),
        allowed_ips=networks.checked(asked.allowed_ips, faults),
        description=_description(asked.description or "", faults),
        labels=labels.checked(asked.labels, faults),
    )
    if faults:
        raise ValidationFailed(*faults)
    return result


def note(text: str | None) -> str | None:
    """A revocation's note as it is stored, None for a blank one. No note is refused, because that would refuse the revocation:
    characters that databases cannot store (NUL, lone surrogates) are removed, and it is truncated to LONGEST_NOTE characters."""
    kept = "".join(character for character in text or "" if character != "\0" and unicodedata.category(character) != "Cs")
    return kept.strip()[:LONGEST_NOTE].rstrip() or None


def name_fault(text: str) -> FieldProblem | None:
    """What is wrong with the name of a credential, if anything."""
    return names.name_fault(text, "name", "Enter a name that says where the key is used.")


def _name(text: str, faults: list[FieldProblem]) -> str:
    if fault := name_fault(text):
        faults.append(fault)
    return names.plain_name(text) if not fault else ""


def _description(text: str, faults: list[FieldProblem]) -> str | None:
    """None for a blank one. A key pasted here would be shown to everyone who may read keys."""
    plain = names.plain_text(text)
    if len(plain) > LONGEST_DESCRIPTION:
        faults.append(FieldProblem("description", "TOO_LONG", f"At most {LONGEST_DESCRIPTION} characters, please."))
    elif not all(names.is_one_line(line) for line in plain.split("\n")):
        message = "A description cannot contain control characters, or marks that change the direction of text."
        faults.append(FieldProblem("description", "INVALID", message))
    elif mask_secrets(plain) != plain:
        faults.append(
            FieldProblem(
                "description", "INVALID", "The text contains a key, which everyone in the workspace could read. Remove the key."
            )
        )
    return plain or None


def _permissions(names: tuple[str, ...], catalogue: Catalogue, held: frozenset[str], faults: list[FieldProblem]) -> tuple[str, ...]:
    """In the catalogue's order, each once."""
    if not names:
        faults.append(FieldProblem("permissions", "REQUIRED", "Choose at least one permission."))
    for name in sorted(set(names) - set(catalogue.permissions) - held):
        message = f"There is no permission {mask_secrets(name)[:60]!r}."
        faults.append(FieldProblem("permissions", "UNKNOWN", message, names.index(name)))
    order = [*catalogue.permissions, *sorted(held - set(catalogue.permissions))]
    return tuple(name for name in order if name in names)


def _expiry(
    expires_at: int | None, environment: Environment, of: ApiKey | None, now: int, faults: list[FieldProblem]
) -> int | None:
    """Counted from the first key of the lineage, so that neither rotating nor extending ever exceeds the maximum."""
    longest, born = environment.max_lifetime_days, of.lifetime_started_at if of else now
    if of is not None and expires_at == of.expires_at:
        return expires_at
    if expires_at is None:
        if environment.must_expire:
            faults.append(
                FieldProblem("expiresAt", "REQUIRED", f"{environment.title} keys must expire, after {longest} days at most.")
            )
    elif expires_at <= now:
        faults.append(FieldProblem("expiresAt", "IN_THE_PAST", "Choose a time in the future."))
    elif longest is not None and expires_at > born + longest * DAY:
        faults.append(FieldProblem("expiresAt", "TOO_LATE", f"{environment.title} keys live {longest} days at most."))
    elif expires_at > now + LONGEST_YEARS * YEAR:
        faults.append(FieldProblem("expiresAt", "TOO_LATE", f"Choose a time within {LONGEST_YEARS} years, or none."))
    return expires_at
