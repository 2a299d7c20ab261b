"""What a mutation can answer instead of its payload: the error tree of `app.errors` as GraphQL types."""

from __future__ import annotations

import strawberry

from app import catalogue, errors
from app.api.callers import Caller
from app.api.catalogue import Plan
from app.api.codes import FieldFault

CODE_AND_MESSAGE = "`code` is stable and for programs, `message` is for people."


@strawberry.interface(description=f"What a mutation can answer instead of its payload. {CODE_AND_MESSAGE}")
class Problem:
    code: str
    message: str


@strawberry.type(description="What is wrong with one field of the input.")
class FieldProblem:
    field: str = strawberry.field(description="As in the input: `permissions`, `businessHours.opens`.")
    path: list[str] = strawberry.field(
        description="The same step by step, down to the entry of a list: `allowedIps`, `1` for its second entry."
    )
    code: FieldFault = strawberry.field(description="Stable, for programs.")
    message: str = strawberry.field(description="For people.")


@strawberry.type(description="The input was refused and nothing was changed. `code` is `VALIDATION_FAILED`.")
class ValidationFailed(Problem):
    fields: list[FieldProblem] = strawberry.field(description="At least one.")

    @classmethod
    def of(cls, error: errors.ValidationFailed) -> ValidationFailed:
        fields = [
            FieldProblem(field=item.field, path=item.path, code=FieldFault(item.code), message=item.message)
            for item in error.fields
        ]
        return cls(code=error.code, message=error.message, fields=fields)


@strawberry.type(description="There is no such thing, or it is not yours. `code` is `NOT_FOUND`.")
class NotFound(Problem):
    @classmethod
    def of(cls, error: errors.NotFound) -> NotFound:
        return cls(code=error.code, message=error.message)


@strawberry.type(description="The caller's role or scopes do not include this. `code` is `NOT_ALLOWED`.")
class NotAllowed(Problem):
    @classmethod
    def of(cls, error: errors.NotAllowed) -> NotAllowed:
        return cls(code=error.code, message=error.message)


@strawberry.type(description="The request contradicts what is already so; the message says what. `code` is `CONFLICT`.")
class Conflict(Problem):
    @classmethod
    def of(cls, error: errors.Conflict) -> Conflict:
        return cls(code=error.code, message=error.message)


@strawberry.type(description="The plan has no free slot. `code` is `PLAN_LIMIT_REACHED`.")
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


@strawberry.type(
    description="Completing now would cut somebody off, or nobody knows yet that it would not. `code` is `ROTATION_NOT_READY`."
)
class RotationNotReady(Problem):
    callers: list[Caller] = strawberry.field(description="Who would be cut off, as far as is known; empty: see the message.")

    @classmethod
    def of(cls, error: errors.RotationNotReady) -> RotationNotReady:
        return cls(code=error.code, message=error.message, callers=[Caller.of(moving) for moving in error.callers])
