"""Links that open the form for a new API key filled in. Following one creates nothing."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlencode

from app.catalogue import Catalogue
from app.errors import FieldProblem, ValidationFailed
from app.keys.secret import mask_secrets
from app.web import key_form
from app.web.framework.form import Form

# Fields of several lines, each of which may be a parameter of its own.
LINES: Final = ("allowedIps", "labels")
# What the form adds to its own URL.
_OF_FORM: Final = frozenset({"by", "once", "review"})
_LONGEST_SHOWN: Final = 60


def form_of(query: bytes, known: Catalogue) -> Form:
    """The form as the link fills it in, with a fault for each value and parameter that the form does not have.

    A preset fills in what the link leaves out. Raises Unreadable.
    """
    asked = Form.parse(query)
    values = {name: [*asked.texts(name)] for name in key_form.FIELDS if asked.has(name)}
    wanted = [name for text in asked.texts("permissions") for name in re.split(r"[\s,]+", text) if name]
    if wanted:
        values["permissions"] = [name for name in wanted if name in known.permissions]
    if asked.text("environment") not in known.environments:
        values.pop("environment", None)
    values |= {name: ["\n".join(values[name])] for name in LINES if name in values}
    if preset := known.presets.get(asked.text("preset")):
        values = {"environment": [preset.environment], "permissions": [*preset.permissions]} | values
    faults = [*_unknown(asked, known), *(_unknown_permission(name) for name in wanted if name not in known.permissions)]
    if others := [name for name in asked.values if name not in (*key_form.FIELDS, *_OF_FORM)]:
        faults.append(FieldProblem("link", "UNKNOWN", f"The link names what this form does not have: {_shown(', '.join(others))}."))
    return Form(values).refused(ValidationFailed(*faults))


def concerns(form: Form, fault: FieldProblem) -> bool:
    """Whether the fault is about what the link says, and not about what it leaves to the user."""
    names = ("expiresAt", "lifetime") if fault.field == "expiresAt" else (fault.field,)
    return fault.field not in form.faults and any(form.text(name).strip() for name in names)


def query_of(form: Form) -> str:
    """The query of the link that fills the form in like this; empty if nothing is filled in."""
    chosen = key_form.lifetime(form)
    left_out = {"preset"}
    if chosen != key_form.ON_DATE:
        left_out.add("expiresAt")
    if key_form.lifetime_days(form) is None:
        left_out.add("lifetime")
    return urlencode([(name, text) for name, text in key_form.typed_fields(form) if name not in left_out and text.strip()])


def _unknown(form: Form, known: Catalogue) -> list[FieldProblem]:
    return [
        FieldProblem(name, "UNKNOWN", f"There is no {name} “{_shown(given)}”. Choose one of these.")
        for name, offered in (("preset", known.presets), ("environment", known.environments), ("lifetime", key_form.LIFETIMES))
        if (given := form.text(name).strip()) and given not in offered
    ]


def _unknown_permission(name: str) -> FieldProblem:
    return FieldProblem("permissions", "UNKNOWN", f"There is no permission “{_shown(name)}”.")


def _shown(text: str) -> str:
    return mask_secrets(text)[:_LONGEST_SHOWN]
