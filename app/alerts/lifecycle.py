"""The one place where alerts are raised and where they are resolved: events and e-mails are sent from here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from app import clock
from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import alert_store, events, incident, incident_store, mailing, store, suspension_service
from app.alerts.alert import Alert, DueAlert, Kind, Resolution
from app.alerts.incident_store import Stored
from app.alerts.situation import Finding, KeyFacts
from app.alerts.suspension_service import Raised
from app.audit import service as audit
from app.keys import events as key_events
from app.tenancy import service as tenancy
from app.tenancy.publication import publish
from app.tenancy.service import Change

Found = Sequence[tuple[KeyFacts, Finding]]
# At most so many findings are written in one transaction, so that the lock of a workspace is not held long.
_PIECE: Final = 20
_log = logging.getLogger("keydesk.alerts")


async def note(workspace_id: str, found: Found, now: int) -> int:
    """Raises or extends the alerts of these findings; returns how many are new."""
    raised = 0
    for start in range(0, len(found), _PIECE):
        piece = found[start : start + _PIECE]
        if not _differing(await _latest(piece), piece):
            continue
        # Nothing of the workspace changes, so there is no audit entry: the alert is its own record.
        async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=workspace_id) as change:
            latest = await _latest(piece)
            noted = [await _note(change, key, finding, latest.get((key.id, finding.kind))) for key, finding in piece]
            new = [each for each in noted if each is not None]
            if new:
                await suspension_service.act(change, new)
            alerts = await alert_store.find_many([each.alert_id for each in new], now)
            await announce(change, alerts, now)
        for alert in alerts:
            _log.warning("%s of %s", alert.kind, alert.key.id)
        raised += len(alerts)
    return raised


async def raise_dated(change: Change, alert: DueAlert) -> bool:
    """Raises an alert about a date; False if it was raised before. Like all alerts of a workspace, at the time read under its lock:
    in the order of their times they become visible."""
    return await store.add(change.workspace.id, alert, change.now)


async def announce(change: Change, alerts: Sequence[Alert], now: int) -> None:
    """To webhooks and by e-mail, in the transaction that raises the alerts."""
    for alert in alerts:
        suspension = "SUSPENDED" if alert.suspended_at is not None else alert.withheld and str(alert.withheld)
        await publish(change, events.RAISED, alert.key.id, **_shape(alert), suspension=suspension)
        if alert.kind is Kind.EXPIRY and not alert.has_come(now):
            expires_at = clock.rfc3339(alert.about)
            await publish(change, key_events.EXPIRING, alert.key.id, name=alert.key.name, expires_at=expires_at, days=alert.days)
    await mailing.send(change, alerts, now)


async def resolve(change: Change, alert: Alert, resolution: Resolution) -> None:
    """Resolves an open alert. What a member does has an audit entry, which is published with it."""
    await alert_store.resolve(alert.id, resolution, change.actor.ref, change.now)
    if change.actor.is_member:
        detail = {**_shape(alert), "alert": alert.id, "resolution": str(resolution)}
        await audit.record(change, events.RESOLVED, alert.key.id, **detail)
    else:
        await publish(change, events.RESOLVED, alert.key.id, **_shape(alert))


def _shape(alert: Alert) -> dict[str, Any]:
    """What webhooks are sent of it; `about`: the instant that it is about, or when its incident began."""
    return {"name": alert.key.name, "kind": str(alert.kind), "days": alert.days, "about": clock.rfc3339(alert.about)}


async def _note(change: Change, key: KeyFacts, finding: Finding, latest: Stored | None) -> Raised | None:
    """Raises or extends one alert; returns it if it is new."""
    if latest is not None and latest.incident.resolved_at is None:
        extended = incident.extended(latest.incident, finding)
        if extended != latest.incident:
            await incident_store.extend(latest.id, finding, extended)
        return None
    if not incident.is_new(latest.incident if latest else None, finding):
        return None
    begun = incident.begun(finding)
    following = incident.after(begun, latest.incident if latest else None)
    alert_id = await incident_store.add(change.workspace.id, key.id, finding, following, change.now)
    return Raised(alert_id, key.id, finding, latest) if alert_id is not None else None


async def _latest(found: Found) -> dict[tuple[str, Kind], Stored]:
    return await incident_store.latest({key.id for key, _ in found})


def _differing(latest: dict[tuple[str, Kind], Stored], found: Found) -> bool:
    """Whether anything would be written."""
    for key, finding in found:
        known = latest.get((key.id, finding.kind))
        if known is None or known.incident.resolved_at is None:
            if known is None or incident.extended(known.incident, finding) != known.incident:
                return True
        elif incident.is_new(known.incident, finding):
            return True
    return False


async def over(now: int) -> None:
    """Resolves alerts about dates that require no action any more."""
    for workspace_id, alert_ids in (await store.over(now)).items():
        async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=workspace_id) as change:
            for alert_id in alert_ids:
                alert = await alert_store.find(alert_id, change.now)
                if alert is not None and not alert.is_open and alert.resolved_at is None:
                    await resolve(change, alert, Resolution.OVER)
