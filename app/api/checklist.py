"""The security checklist of a workspace, and confirming an item of it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import strawberry

from app.access.policy import Action
from app.api.actors import Actor
from app.api.catalogue import Permission
from app.api.framework.authorization import ANYONE
from app.api.framework.connection import Connection, count_of, page
from app.api.framework.context import Info
from app.api.framework.cursors import ConnectionArgs
from app.api.framework.decorators import extend, field, mutation, object_type, paged
from app.api.framework.inputs import SLUG
from app.api.framework.scalars import Instant, instant, unset_to_none
from app.api.key_types import ApiKey
from app.api.problems import NotAllowed, NotFound, ValidationFailed
from app.api.workspaces import Workspace
from app.checklist import item as noun
from app.checklist import service

ChecklistItemName = strawberry.enum(noun.ItemName, name="ChecklistItemName", description="In the order of the checklist.")
ChecklistRemedy = strawberry.enum(noun.Remedy, name="ChecklistRemedy", description="What fixes an item, or what one key breaks.")


@object_type("A person's confirmation of what no data shows.", requires=Action.READ_CHECKLIST)
class ChecklistAttestation:
    at: Instant = strawberry.field(description="When it was confirmed.")
    by: Actor = strawberry.field(description="Who confirmed it.")
    valid_until: Instant = strawberry.field(description="From then on the item is not met until it is confirmed again.")
    runbook_url: str | None = strawberry.field(description="Where the process for compromised keys is written down.")


@object_type("A member who opened a page that shows how keys are used.", requires=Action.READ_MEMBERS)
class UsageVisit:
    name: str = strawberry.field(description="The member's name.")
    user_id: strawberry.ID = strawberry.field(description="The member's user id.")
    at: Instant = strawberry.field(description="The last time, exact to a day.")


@object_type("A key that breaks an item.", requires=Action.READ_CHECKLIST)
class ChecklistBreach:
    cause: str = strawberry.field(description="For people.")
    remedy: noun.Remedy | None = strawberry.field(description="Null: only the item as a whole can be fixed.")
    breach: strawberry.Private[noun.Breach]

    @field("The key.", requires=Action.READ_KEYS)
    async def api_key(self, info: Info) -> ApiKey:
        return ApiKey.of(await info.context.keys.itself(self.breach.key_id), await info.context.now())

    @field(
        "With LEAST_PERMISSIONS, those that no request asked for in the last 90 days; otherwise none.", requires=Action.READ_USAGE
    )
    def permissions(self) -> list[Permission]:
        return [Permission.named(name) for name in self.breach.permissions]

    @classmethod
    def of(cls, breach: noun.Breach) -> ChecklistBreach:
        return cls(cause=breach.cause, remedy=breach.remedy, breach=breach)


@object_type("One rule of safe work with keys, and whether the workspace follows it.", requires=Action.READ_CHECKLIST)
class ChecklistItem:
    name: noun.ItemName = strawberry.field(description="For programs; what `attestChecklistItem` takes.")
    title: str = strawberry.field(description="For people.")
    passed: bool = strawberry.field(description="Whether the workspace follows it now.")
    reason: str = strawberry.field(description="Why it is met or not. For people.")
    remedy: noun.Remedy | None = strawberry.field(
        description="What fixes the item as a whole. Null if it is met, or is fixed key by key."
    )
    attestation: ChecklistAttestation | None = strawberry.field(
        description="The latest confirmation; null for an item that Keydesk computes."
    )
    result: strawberry.Private[noun.Result]

    @paged("The keys that break it, the oldest first.", requires=Action.READ_CHECKLIST)
    async def breaches(self, args: ConnectionArgs) -> Connection[ChecklistBreach] | None:
        name = f"{self.result.name} breaches"
        found = args.of(name).page_of_all(self.result.breaches, _position)
        return page(name, found, node=ChecklistBreach.of, position=_position, count=count_of(self.result.breaches))

    @field(
        "With USAGE_REVIEWED, who opened the alerts or the usage of a key recently; otherwise nobody.", requires=Action.READ_MEMBERS
    )
    def visits(self) -> list[UsageVisit]:
        return [UsageVisit(name=each.name, user_id=strawberry.ID(each.user_id), at=Instant(each.at)) for each in self.result.visits]

    @classmethod
    def of(cls, result: noun.Result) -> ChecklistItem:
        return cls(
            name=result.name,
            title=result.title,
            passed=result.passed,
            reason=result.reason,
            remedy=result.remedy,
            attestation=_attestation(result),
            result=result,
        )


@object_type("The security checklist, computed when it is read.", requires=Action.READ_CHECKLIST)
class Checklist:
    passed: int = strawberry.field(description="How many items are met.")
    total: int = strawberry.field(description="How many items there are.")
    items: list[ChecklistItem] = strawberry.field(description="All of them, in their order.")

    @classmethod
    def of(cls, checklist: noun.Checklist) -> Checklist:
        return cls(passed=checklist.passed, total=checklist.total, items=[ChecklistItem.of(result) for result in checklist.results])


@extend(
    Workspace,
    name="checklist",
    description="Whether its keys are kept as they should be.",
    requires=Action.READ_CHECKLIST,
)
async def _checklist(self: Workspace, info: Info) -> Checklist | None:
    return Checklist.of(await service.of_workspace(self.access))


@strawberry.input
class AttestChecklistItemInput:
    workspace: str | None = strawberry.field(default=strawberry.UNSET, description=SLUG)
    item: noun.ItemName = strawberry.field(description="KEYS_OUT_OF_CODE or COMPROMISE_PROCESS: the others are computed.")
    runbook_url: str | None = strawberry.field(
        default=strawberry.UNSET, description="An https address; required with COMPROMISE_PROCESS, and refused with another item."
    )


@object_type(requires=ANYONE)
class AttestChecklistItemPayload:
    checklist: Checklist = strawberry.field(description="The checklist as it is now.")


AttestChecklistItemResult: TypeAlias = Annotated[
    AttestChecklistItemPayload | ValidationFailed | NotFound | NotAllowed, strawberry.union("AttestChecklistItemResult")
]


@strawberry.type
class ChecklistMutation:
    @mutation(
        "Confirms, in the caller's name, an item that no data shows. Repeated, it renews the confirmation.",
        requires=Action.ATTEST_CHECKLIST_ITEM,
    )
    async def attest_checklist_item(self, info: Info, input: AttestChecklistItemInput) -> AttestChecklistItemResult | None:
        actor, slug = info.context.actor, unset_to_none(input.workspace)
        found = await service.attest(actor, slug, input.item, runbook_url=unset_to_none(input.runbook_url))
        return AttestChecklistItemPayload(checklist=Checklist.of(found))


def _position(breach: noun.Breach) -> tuple[int, str]:
    return (breach.at, breach.key_id)


def _attestation(result: noun.Result) -> ChecklistAttestation | None:
    found, until = result.attestation, instant(result.valid_until)
    if found is None or until is None:
        return None
    return ChecklistAttestation(at=Instant(found.at), by=Actor.of(found.by), valid_until=until, runbook_url=found.runbook_url)
