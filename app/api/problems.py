"""The errors that a mutation can return instead of its payload: the error tree of `app.errors` as GraphQL types."""

from __future__ import annotations

import strawberry

from app import catalogue, errors
from app.api.callers import Caller
from app.api.catalogue import Plan
from app.api.framework.authorization import ANYONE
from app.api.framework.codes import FieldFault
from app.api.framework.decorators import interface, object_type

CODE_AND_MESSAGE = "`code` is stable and for programs, `message` is for people."


@interface(f"What a mutation can answer instead of its payload. {CODE_AND_MESSAGE}", requires=ANYONE)
class Problem:
    code: str
    message: str


@object_type("What is wrong with one field of the input.", requires=ANYONE)
class FieldProblem:
    field: str = strawberry.field(description="As in the input: `permissions`, `businessHours.opens`.")
    path: list[str] = strawberry.field(
        description="The same step by step, down to the entry of a list: `allowedIps`, `1` for its second entry."
    )
    code: FieldFault = strawberry.field(description="Stable, for programs.")
    message: str = strawberry.field(description="For people.")


@object_type("The input was refused and nothing was changed. `code` is `VALIDATION_FAILED`.", requires=ANYONE)
class ValidationFailed(Problem):
    fields: list[FieldProblem] = strawberry.field(description="At least one.")

    @classmethod
    def of(cls, error: errors.ValidationFailed) -> ValidationFailed:
        fields = [
            FieldProblem(field=item.field, path=item.path, code=FieldFault(item.code), message=item.message)
            for item in error.fields
        ]
        return cls(code=error.code, message=error.message, fields=fields)


@object_type("The object does not exist, or the caller may not see it. `code` is `NOT_FOUND`.", requires=ANYONE)
class NotFound(Problem):
    @classmethod
    def of(cls, error: errors.NotFound) -> NotFound:
        return cls(code=error.code, message=error.message)


@object_type("The caller's role or scopes do not include this. `code` is `NOT_ALLOWED`.", requires=ANYONE)
class NotAllowed(Problem):
    @classmethod
    def of(cls, error: errors.NotAllowed) -> NotAllowed:
        return cls(code=error.code, message=error.message)


@object_type("The request contradicts what is already so; the message says what. `code` is `CONFLICT`.", requires=ANYONE)
class Conflict(Problem):
    @classmethod
    def of(cls, error: errors.Conflict) -> Conflict:
        return cls(code=error.code, message=error.message)


@object_type("The limit of the plan is reached. `code` is `PLAN_LIMIT_REACHED`.", requires=ANYONE)
class PlanLimitReached(Problem):
    plan: Plan
    limit: int
    used: int
    upgrade_to: list[Plan] = strawberry.field(description="The plans that would allow one more, small to large.")

    @classmethod
    def of(cls, error: errors.PlanLimitReached) -> PlanLimitReached:
        plan = catalogue.current().plan
        return cls(
            code=error.code,
            message=error.message,
            plan=Plan.of(plan(error.plan)),
            limit=error.limit,
            used=error.used,
            upgrade_to=[Plan.of(plan(name)) for name in error.upgrade_to],
        )


@object_type(
    "Completing now would cut off callers, or it is not yet known that it would not. `code` is `ROTATION_NOT_READY`.",
    requires=ANYONE,
)
class RotationNotReady(Problem):
    callers: list[Caller] = strawberry.field(description="Who would be cut off, as far as is known; empty: see the message.")

    @classmethod
    def of(cls, error: errors.RotationNotReady) -> RotationNotReady:
        return cls(code=error.code, message=error.message, callers=[Caller.of(moving) for moving in error.callers])


def of_one(error: errors.Problem) -> ValidationFailed | NotFound | NotAllowed | Conflict:
    """The result for one of several things that a mutation changes, where `error` kept it from being changed."""
    match error:
        case errors.ValidationFailed():
            return ValidationFailed.of(error)
        case errors.NotFound():
            return NotFound.of(error)
        case errors.NotAllowed():
            return NotAllowed.of(error)
        case errors.Conflict():
            return Conflict.of(error)
        case _:
            raise error
