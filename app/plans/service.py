"""The limit of a plan, counted under the workspace's lock; and changing the plan."""

from __future__ import annotations

from app import catalogue, database
from app.access import policy
from app.access.actor import Actor
from app.access.policy import Action, OperatorAction
from app.audit import service as audit
from app.audit.entry import Entry
from app.catalogue import Plan
from app.errors import FieldProblem, NotAllowed, PlanLimitReached, ValidationFailed
from app.plans import store
from app.plans.plan import Meter
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.tenancy.service import Change
from app.tenancy.workspace import Workspace


async def meter(workspace: Workspace, now: int | None = None) -> Meter:
    """Of a workspace the caller has already been let into."""
    moment = now if now is not None else await database.now()
    used, rotating = await store.count_keys(workspace.id, moment)
    return Meter(catalogue.current().plan(workspace.plan), used, rotating)


async def over_limit(actor: Actor) -> list[tuple[str, Meter]]:
    """Slug and meter of every workspace with more keys than its plan allows. Operator only."""
    policy.require_operator(actor, OperatorAction.LIST_PLANS)
    counted = [(slug, Meter(catalogue.current().plan(plan), used)) for slug, plan, used in await store.counts(await database.now())]
    return [(slug, meter) for slug, meter in counted if not meter.plan.allows(meter.used)]


async def last_change(actor: Actor, slug: str) -> Entry | None:
    """When and from which plan the workspace came to the one it has; None if it never had another."""
    workspace = (await tenancy.reading(actor, slug, Action.READ_AUDIT)).workspace
    return next((entry for entry in await audit.about(actor, slug, workspace.id) if entry.action == "plan.changed"), None)


async def require_slot(change: Change) -> None:
    """Raises PlanLimitReached unless one more key fits; true until the change ends, because it holds the lock."""
    counted = await meter(change.place, change.now)
    if counted.has_room:
        return
    larger = catalogue.current().plans_allowing(counted.used + 1)
    raise PlanLimitReached(
        plan=counted.plan.name,
        limit=counted.limit or 0,
        used=counted.used,
        upgrade_to=tuple(plan.name for plan in larger if plan.name != counted.plan.name),
    )


async def change_plan(actor: Actor, slug: str | None, name: str) -> Workspace:
    """An owner may go down, or to a plan marked self-service; going up otherwise is the operator's. Keys are never touched.

    Raises ValidationFailed for a plan that is not in the catalogue.
    """
    async with tenancy.changing(actor, slug, Action.CHANGE_PLAN) as change:
        new = catalogue.current().plans.get(name)
        if new is None:
            raise ValidationFailed(FieldProblem("plan", "UNKNOWN", f"There is no plan {name!r}."))
        old = catalogue.current().plan(change.place.plan)
        if actor.is_member and not may_choose(old, new):
            raise NotAllowed(f"You cannot switch to {new.title} yourself. " + _how_to_upgrade(new))
        if new.name != change.place.plan:
            await workspace_store.update(change.place.id, {"plan": new.name})
            await audit.record(change, "plan.changed", change.place.id, before=change.place.plan, after=new.name)
    return (await tenancy.reading(actor, None, Action.READ_WORKSPACE, workspace_id=change.place.id)).workspace


def may_choose(old: Plan, new: Plan) -> bool:
    """Whether an owner may go from one plan to the other without the operator."""
    return new.rank <= old.rank or new.self_service


def _how_to_upgrade(plan: Plan) -> str:
    return f"Upgrade at {plan.upgrade_url}." if plan.upgrade_url else "Please contact the operator of this service."
