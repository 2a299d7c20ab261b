"""Checks the limit of a plan under the workspace's lock, and changes the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app import catalogue, database
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.audit.entry import Entry
from app.catalogue import Plan
from app.errors import FieldProblem, NotAllowed, PlanLimitReached, ValidationFailed
from app.plans import events, store
from app.plans.plan import Meter
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Access, Change
from app.tenancy.workspace import Workspace


async def meter(access: Access) -> Meter:
    """How many keys of its plan a workspace uses. Raises NotAllowed."""
    (found,) = await meters([access])
    return found


async def meters(accesses: Sequence[Access]) -> list[Meter]:
    """The same for several workspaces, in one statement."""
    for access in accesses:
        access.require(Action.READ_WORKSPACE)
    return await _meters([access.workspace for access in accesses], accesses[0].now)


async def over_limit(actor: Actor) -> list[tuple[str, Meter]]:
    """Slug and meter of every workspace with more keys than its plan allows. Operator only."""
    policy.require_operator(actor, OperatorAction.LIST_PLANS)
    counted = [(slug, Meter(catalogue.current().plan(plan), used)) for slug, plan, used in await store.counts(await database.now())]
    return [(slug, meter) for slug, meter in counted if not meter.plan.allows(meter.used)]


async def last_change(access: Access) -> Entry | None:
    """When the plan was last changed, and from which one; None if it never was."""
    return next((entry for entry in await audit.about(access, access.workspace.id) if entry.action == "plan.changed"), None)


async def require_slot(change: Change) -> None:
    """Raises PlanLimitReached unless one more key fits; this holds until the change ends, because it has the lock."""
    (counted,) = await _meters([change.workspace], change.now)
    if not counted.has_room:
        raise limit_reached(counted)


def limit_reached(counted: Meter) -> PlanLimitReached:
    """The refusal of one more key."""
    larger = catalogue.current().plans_allowing(counted.used + 1)
    return PlanLimitReached(
        plan=counted.plan.name,
        limit=counted.limit or 0,
        used=counted.used,
        upgrade_to=tuple(plan.name for plan in larger if plan.name != counted.plan.name),
    )


async def change_plan(actor: Actor, slug: str | None, name: str) -> Workspace:
    """Owners may downgrade, or switch to a plan marked self-service; other upgrades are for the operator. Keys are not changed.

    Raises ValidationFailed for a plan that is not in the catalogue.
    """
    async with tenancy.changing(actor, slug, Action.CHANGE_PLAN) as change:
        new = catalogue.current().plans.get(name)
        if new is None:
            raise ValidationFailed(FieldProblem("plan", "UNKNOWN", f"There is no plan {name!r}."))
        old = catalogue.current().plan(change.workspace.plan)
        if actor.is_member and not may_choose(old, new):
            raise NotAllowed(f"You cannot switch to {new.title} yourself. " + _how_to_upgrade(new))
        if new.name != change.workspace.plan:
            await workspace_store.update(change.workspace.id, {"plan": new.name})
            await audit.record(change, events.CHANGED, change.workspace.id, before=change.workspace.plan, after=new.name)
    return replace(change.workspace, plan=new.name)


async def _meters(workspaces: Sequence[Workspace], now: int) -> list[Meter]:
    counted = await store.count_keys([workspace.id for workspace in workspaces], now)
    return [Meter(catalogue.current().plan(each.plan), *counted.get(each.id, (0, 0))) for each in workspaces]


def may_choose(old: Plan, new: Plan) -> bool:
    """Whether an owner may switch between these plans without the operator."""
    return new.rank <= old.rank or new.self_service


def _how_to_upgrade(plan: Plan) -> str:
    return f"Upgrade at {plan.upgrade_url}." if plan.upgrade_url else "Please contact the operator of this service."
