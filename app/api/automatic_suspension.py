"""Automatic suspension: which rules of a workspace suspend keys, what one would have suspended, and setting it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.alerts import suspension as noun
from app.alerts import suspension_service as service
from app.alerts.alert import Kind
from app.api.alerts import Alert
from app.api.framework.authorization import ANYONE
from app.api.framework.context import Info
from app.api.framework.decorators import extend, field, mutation, object_type
from app.api.framework.inputs import EXPECTED_REVISION, SLUG, require_values
from app.api.framework.scalars import unset_to_none
from app.api.problems import Conflict, NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.tenancy.service import Access

SuspensionOutcome = strawberry.enum(
    noun.Outcome,
    name="SuspensionOutcome",
    description="What a rule would have done to the key of its alert.",
)


@object_type("An alert, and what its rule would have done to its key.", requires=Action.READ_KEYS)
class PreviewedAlert:
    alert: Alert
    outcome: noun.Outcome


@object_type(
    "What a rule would have done in the last 30 days, if it alone had been set to suspend, and each key had been resumed before\n"
    "its next alert.",
    requires=Action.READ_KEYS,
)
class SuspensionPreview:
    kind: Kind
    max_per_day: int
    suspended: int = strawberry.field(description="How many suspensions there would have been.")
    over_limit: int = strawberry.field(description="How many more there would have been without the daily limit.")
    alerts: list[PreviewedAlert] = strawberry.field(description="The rule's alerts, the newest first, at most 200.")

    @classmethod
    def of(cls, preview: noun.Preview, now: int) -> SuspensionPreview:
        return cls(
            kind=preview.kind,
            max_per_day=preview.most_a_day,
            suspended=preview.suspended,
            over_limit=preview.over_limit,
            alerts=[PreviewedAlert(alert=Alert.of(alert, now), outcome=outcome) for alert, outcome in preview.alerts],
        )


@object_type("Which rules suspend the key of an alert that they raise.", requires=Action.READ_WORKSPACE)
class AutomaticSuspension:
    kinds: list[Kind] = strawberry.field(description="The rules that do. None, unless an owner has chosen them.")
    max_per_day: int = strawberry.field(description="The most keys that are suspended automatically within 24 hours.")
    suspended_last_day: int = strawberry.field(description="How many were within the last 24 hours.")
    revision: str = strawberry.field(description="What `expectedRevision` of `updateAutomaticSuspension` takes.")
    access: strawberry.Private[Access]

    @classmethod
    async def of(cls, access: Access, setting: noun.AutomaticSuspension) -> AutomaticSuspension:
        return cls(
            kinds=[*setting.kinds],
            max_per_day=setting.most_a_day,
            suspended_last_day=await service.count_lately(access),
            revision=setting.version,
            access=access,
        )

    @field("What a rule would have suspended in the last 30 days; look at it before choosing the rule.", requires=Action.READ_KEYS)
    async def preview(
        self,
        info: Info,
        kind: Kind,
        max_per_day: Annotated[
            int | None, strawberry.argument(description="1 to 100; left out, the present one.")
        ] = strawberry.UNSET,
    ) -> SuspensionPreview | None:
        return SuspensionPreview.of(await service.preview(self.access, kind, unset_to_none(max_per_day)), await info.context.now())


@extend(
    Workspace,
    name="automaticSuspension",
    description="Which rules suspend keys by themselves, and how many at most.",
    requires=Action.READ_WORKSPACE,
)
async def _automatic_suspension(self: Workspace, info: Info) -> AutomaticSuspension | None:
    return await AutomaticSuspension.of(self.access, await service.find(self.access))


@strawberry.input(description="What is left out stays as it is; null never means that.")
class UpdateAutomaticSuspensionInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    kinds: list[Kind] | None = strawberry.field(
        default=strawberry.UNSET,
        description="All rules that are to suspend, of those about unusual use of a key that works; an empty list: none.",
    )
    max_per_day: int | None = strawberry.field(
        default=strawberry.UNSET, description="1 to 100: the most keys that are suspended automatically within 24 hours."
    )
    expected_revision: str | None = strawberry.field(default=strawberry.UNSET, description=EXPECTED_REVISION)


@object_type(requires=ANYONE)
class UpdateAutomaticSuspensionPayload:
    automatic_suspension: AutomaticSuspension


UpdateAutomaticSuspensionResult: TypeAlias = Annotated[
    UpdateAutomaticSuspensionPayload | ValidationFailed | NotFound | NotAllowed | Conflict,
    strawberry.union("UpdateAutomaticSuspensionResult"),
]


@strawberry.type
class AutomaticSuspensionMutation:
    @mutation(
        "Sets which rules suspend the key of an alert, and how many keys at most. It holds for alerts raised from then on.",
        requires=Action.SET_AUTOMATIC_SUSPENSION,
    )
    async def update_automatic_suspension(
        self, info: Info, input: UpdateAutomaticSuspensionInput
    ) -> UpdateAutomaticSuspensionResult | None:
        require_values(kinds=input.kinds, maxPerDay=input.max_per_day)
        access, setting = await service.update(
            info.context.actor,
            unset_to_none(input.workspace),
            kinds=unset_to_none(input.kinds),
            most_a_day=unset_to_none(input.max_per_day),
            expected=unset_to_none(input.expected_revision),
        )
        return UpdateAutomaticSuspensionPayload(automatic_suspension=await AutomaticSuspension.of(access, setting))
