"""Alert mail: which alerts of a workspace the caller gets by e-mail, and when."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.alerts import alert_mail as noun
from app.alerts import mail_service as service
from app.alerts.alert import Kind
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import extend, mutation, object_type
from app.api.framework.inputs import EXPECTED_REVISION, SLUG, require_values
from app.api.framework.scalars import unset_to_none
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.errors import FieldProblem
from app.errors import ValidationFailed as Refused

AlertMailDelivery = strawberry.enum(noun.Delivery, name="AlertMailDelivery", description="How alerts of a kind are mailed.")


@object_type("How the caller gets alerts of a kind by e-mail.", requires=Action.CHOOSE_ALERT_MAIL)
class AlertMailChoice:
    kind: Kind
    delivery: noun.Delivery


@object_type("Which alerts of a workspace the caller gets by e-mail, and when.", requires=Action.CHOOSE_ALERT_MAIL)
class AlertMail:
    choices: list[AlertMailChoice] = strawberry.field(description="All kinds, also those that were left as they are by default.")
    daily_hour: int = strawberry.field(description="When the digest is sent, in the workspace's time zone: 0 to 23.")
    revision: str = strawberry.field(description="What `expectedRevision` of `updateAlertMail` takes.")

    @classmethod
    def of(cls, mail: noun.AlertMail) -> AlertMail:
        choices = [AlertMailChoice(kind=kind, delivery=delivery) for kind, delivery in mail.deliveries.items()]
        return cls(choices=choices, daily_hour=mail.hour, revision=mail.version)


@extend(
    Workspace,
    name="alertMail",
    description="Which of its alerts the caller gets by e-mail. By default owners and editors get all at once, viewers none.",
    requires=Action.CHOOSE_ALERT_MAIL,
)
async def _alert_mail(self: Workspace, info: Info) -> AlertMail | None:
    return AlertMail.of(await service.find(self.access))


@strawberry.input
class AlertMailChoiceInput:
    kind: Kind
    delivery: noun.Delivery


@strawberry.input(description="What is left out stays as it is; null never means that.")
class UpdateAlertMailInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    choices: list[AlertMailChoiceInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Each kind at most once; kinds that are left out stay as they are."
    )
    daily_hour: int | None = strawberry.field(
        default=strawberry.UNSET, description="When the digest is to be sent, in the workspace's time zone: 0 to 23."
    )
    expected_revision: str | None = strawberry.field(default=strawberry.UNSET, description=EXPECTED_REVISION)

    @property
    def deliveries(self) -> dict[Kind, noun.Delivery]:
        """Raises ValidationFailed for a kind that is named twice."""
        given = unset_to_none(self.choices) or []
        found = {choice.kind: choice.delivery for choice in given}
        if len(found) < len(given):
            raise Refused(FieldProblem("choices", "INVALID", "Name each kind of alert once."))
        return found


@object_type(requires=ANYONE)
class UpdateAlertMailPayload:
    alert_mail: AlertMail


UpdateAlertMailResult: TypeAlias = Annotated[
    UpdateAlertMailPayload | ValidationFailed | NotFound | NotAllowed | Conflict, strawberry.union("UpdateAlertMailResult")
]


@strawberry.type
class AlertMailMutation:
    @mutation("Chooses which alerts the caller gets by e-mail, and when.", requires=Action.CHOOSE_ALERT_MAIL)
    async def update_alert_mail(self, info: Info, input: UpdateAlertMailInput) -> UpdateAlertMailResult | None:
        require_values(choices=input.choices, dailyHour=input.daily_hour)
        _, changed = await service.update(
            info.context.actor,
            unset_to_none(input.workspace),
            deliveries=input.deliveries,
            hour=unset_to_none(input.daily_hour),
            expected=unset_to_none(input.expected_revision),
        )
        return UpdateAlertMailPayload(alert_mail=AlertMail.of(changed))
