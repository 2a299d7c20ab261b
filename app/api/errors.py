"""The one place where errors become GraphQL: expected ones a member of the mutation's union, all others an entry of `errors`.

For an unexpected error the client gets only a request id; its details are logged once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any, Final

from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.schema import ExceptionHandler
from strawberry.types.field import StrawberryField

from app import errors, mail
from app.api import problems
from app.api.framework.context import Info
from app.keys.secret import mask_secrets

# Where graphql-core quotes a refused value: up to the end of the message, and before the name of an enum.
_REFUSED_VALUE: Final = re.compile(r"(?:,? found|(cannot represent [^:]*)): .*|Value '.*'( does not exist in )", re.DOTALL)
_REFUSED_STRING: Final = re.compile(r"((?:, found| Unexpected) (?:Block)?String) .*", re.DOTALL)
# The page on which a user confirms their password; it leads back to the explorer.
CONFIRMATION: Final = "/account/confirm?next=/graphql"
LONGEST_MESSAGE: Final = 500
MOST_LOCATIONS: Final = 10

_log = logging.getLogger("keydesk.api")


class OnValidationFailed(ExceptionHandler[errors.ValidationFailed, problems.ValidationFailed]):
    def handle(self, exception: errors.ValidationFailed, *, field: StrawberryField, info: Info) -> problems.ValidationFailed:
        return problems.ValidationFailed.of(exception)


class OnNotFound(ExceptionHandler[errors.NotFound, problems.NotFound]):
    def handle(self, exception: errors.NotFound, *, field: StrawberryField, info: Info) -> problems.NotFound:
        return problems.NotFound.of(exception)


class OnNotAllowed(ExceptionHandler[errors.NotAllowed, problems.NotAllowed]):
    def handle(self, exception: errors.NotAllowed, *, field: StrawberryField, info: Info) -> problems.NotAllowed:
        if isinstance(exception, errors.ConfirmationNeeded):
            info.context.extensions["confirmUrl"] = mail.current().link(CONFIRMATION)
        return problems.NotAllowed.of(exception)


class OnConflict(ExceptionHandler[errors.Conflict, problems.Conflict]):
    def handle(self, exception: errors.Conflict, *, field: StrawberryField, info: Info) -> problems.Conflict:
        return problems.Conflict.of(exception)


class OnPlanLimitReached(ExceptionHandler[errors.PlanLimitReached, problems.PlanLimitReached]):
    def handle(self, exception: errors.PlanLimitReached, *, field: StrawberryField, info: Info) -> problems.PlanLimitReached:
        return problems.PlanLimitReached.of(exception)


class OnRotationNotReady(ExceptionHandler[errors.RotationNotReady, problems.RotationNotReady]):
    def handle(self, exception: errors.RotationNotReady, *, field: StrawberryField, info: Info) -> problems.RotationNotReady:
        return problems.RotationNotReady.of(exception)


HANDLERS: Final = (
    OnValidationFailed(),
    OnNotFound(),
    OnNotAllowed(),
    OnConflict(),
    OnPlanLimitReached(),
    OnRotationNotReady(),
)


def formatted(found: Iterable[GraphQLError], request_id: str) -> list[dict[str, Any]]:
    """The errors for the client; logs and masks unexpected ones."""
    return [_formatted(error, request_id) for error in found]


def _formatted(error: GraphQLError, request_id: str) -> dict[str, Any]:
    original = error.original_error
    while isinstance(original, GraphQLError):
        original = original.original_error
    entry: dict[str, Any] = {**error.formatted}
    if original is None:
        # graphql-core quotes input, and clients log errors: values are left out, and a key in the rest is cut to its prefix.
        entry["message"] = mask_secrets(_plain(error.message))[:LONGEST_MESSAGE]
        if "locations" in entry:
            entry["locations"] = entry["locations"][:MOST_LOCATIONS]
        code = "GRAPHQL_PARSE_FAILED" if isinstance(error, GraphQLSyntaxError) else "BAD_USER_INPUT"
        entry["extensions"] = {"code": code, **(error.extensions or {})}
    elif isinstance(original, errors.Problem):
        entry |= {"message": original.message, "extensions": {"code": original.code}}
    elif isinstance(original, errors.Unavailable):
        _log.warning("the database could not be asked: %s", original.internal)
        entry |= {"message": original.message, "extensions": {"code": "UNAVAILABLE"}}
    else:
        _log.error("request %s failed at %s", request_id, error.path, exc_info=original)
        entry |= {"message": "internal error", "extensions": {"code": "INTERNAL_ERROR", "requestId": request_id}}
    return entry


def _plain(message: str) -> str:
    """The message without input values, and with GraphQL's null where the library writes Python's `None`."""
    cleared = _REFUSED_STRING.sub(r"\1.", _REFUSED_VALUE.sub(_without_value, message))
    return cleared.replace("not to be None.", "not to be null.")


def _without_value(found: re.Match[str]) -> str:
    return f"This value{found[2]}" if found[2] else f"{found[1] or ''}."
