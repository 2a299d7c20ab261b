"""An open alert about a key, as the rules raise one."""

from __future__ import annotations

from app import database
from app.access.actor import Actor
from app.access.policy import Action
from app.alerts import incident, incident_store
from app.alerts.alert import Kind
from app.alerts.situation import Finding
from app.keys.key import ApiKey
from app.tenancy import service as tenancy

STRANGE = "203.0.113.0/24"


async def raise_alert(key: ApiKey) -> str:
    """Returns its id."""
    now = await database.now()
    evidence, known = {"networks": [STRANGE], "userAgents": ["curl"]}, {"networks": ["198.51.100.0/24"], "networkCount": 1}
    finding = Finding(Kind.UNEXPECTED_NETWORK, now, now, {STRANGE: 3}, (STRANGE,), 0.1, 1, "new networks a day", evidence, known)
    async with tenancy.changing(Actor.system(), None, Action.READ_KEYS, workspace_id=key.workspace_id):
        alert_id = await incident_store.add(key.workspace_id, key.id, finding, incident.begun(finding), now)
    assert alert_id is not None
    return alert_id
