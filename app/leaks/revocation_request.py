"""The body of `POST /v1/self/revocation`: why the holder of a key ends it, with every fault at its field."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from app.errors import MOST_FAULTS, FieldProblem
from app.keys.key import Reason
from app.keys.secret import mask_secrets
from app.verification import requests
from app.verification.answers import FieldFault

# Only members know the other reasons.
REASONS: Final = tuple(each for each in Reason if each not in (Reason.MEMBER_LEFT, Reason.ROTATED))
_LONGEST_NAME: Final = 60
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text: Final = msgspec.json.Decoder(str | None)


class RevocationRequest(msgspec.Struct, frozen=True):
    """A missing body, or a field that is missing or null, is the default."""

    reason: Reason = Reason.OTHER
    note: str | None = None


def revocation_request(body: bytes) -> RevocationRequest:
    """Raises Refused (400), with a list of faults if the body is an object."""
    if not body.strip():
        return RevocationRequest()
    given, faults = requests.decoded(body, _object), list[FieldProblem]()
    texts = {name: _text_of(name, raw, faults) for name, raw in given.items()}
    reason = texts.get("reason") or Reason.OTHER
    if reason not in REASONS:
        faults.append(FieldProblem("reason", "UNKNOWN", f"Choose one of: {', '.join(REASONS)}."))
    if faults:
        detail = " ".join(fault.message for fault in faults[:MOST_FAULTS])
        raise requests.invalid(
            "VALIDATION_FAILED", detail, errors=[FieldFault(each.field, each.code, each.message) for each in faults[:MOST_FAULTS]]
        )
    json.loads(body, object_pairs_hook=requests.require_once)
    return RevocationRequest(Reason(reason), texts.get("note"))


def _text_of(name: str, raw: msgspec.Raw, faults: list[FieldProblem]) -> str | None:
    if name not in RevocationRequest.__struct_fields__:
        faults.append(FieldProblem(mask_secrets(name)[:_LONGEST_NAME], "UNKNOWN", "There are only the fields reason and note."))
        return None
    try:
        text: str | None = _text.decode(raw)
        return text
    except (msgspec.DecodeError, UnicodeDecodeError):
        faults.append(FieldProblem(name, "INVALID", f"`{name}` is a text, or left out."))
        return None
