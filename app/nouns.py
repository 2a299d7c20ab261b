"""All nouns, referenced ones first, and their combined declarations."""

from __future__ import annotations

from typing import Any, Final

from app.alerts.noun import NOUN as _ALERTS
from app.audit.noun import NOUN as _AUDIT
from app.authentication.noun import NOUN as _AUTHENTICATION
from app.calendar.noun import NOUN as _CALENDAR
from app.checklist.noun import NOUN as _CHECKLIST
from app.gateway_tokens.noun import NOUN as _GATEWAY_TOKENS
from app.jobs.noun import NOUN as _JOBS
from app.keys.noun import NOUN as _KEYS
from app.management_keys.noun import NOUN as _MANAGEMENT_KEYS
from app.members.noun import NOUN as _MEMBERS
from app.noun import Event, Export, Job, Noun, Purge
from app.one_time_links.noun import NOUN as _ONE_TIME_LINKS
from app.operator_keys.noun import NOUN as _OPERATOR_KEYS
from app.outbox.noun import NOUN as _OUTBOX
from app.peppers.noun import NOUN as _PEPPERS
from app.plans.noun import NOUN as _PLANS
from app.request_log.noun import NOUN as _REQUEST_LOG
from app.rotations.noun import NOUN as _ROTATIONS
from app.sessions.noun import NOUN as _SESSIONS
from app.tenancy.noun import NOUN as _TENANCY
from app.throttling.noun import NOUN as _THROTTLING
from app.usage.noun import NOUN as _USAGE
from app.users.noun import NOUN as _USERS
from app.webhooks.noun import NOUN as _WEBHOOKS
from app.workspaces.noun import NOUN as _WORKSPACES

NOUNS: Final[tuple[Noun, ...]] = (
    _PEPPERS,
    _OUTBOX,
    _USERS,
    _TENANCY,
    _AUDIT,
    _SESSIONS,
    _WORKSPACES,
    _AUTHENTICATION,
    _MEMBERS,
    _PLANS,
    _ONE_TIME_LINKS,
    _THROTTLING,
    _KEYS,
    _REQUEST_LOG,
    _USAGE,
    _MANAGEMENT_KEYS,
    _OPERATOR_KEYS,
    _GATEWAY_TOKENS,
    _ROTATIONS,
    _JOBS,
    _ALERTS,
    _CALENDAR,
    _CHECKLIST,
    _WEBHOOKS,
)

TABLES: Final[tuple[type[Any], ...]] = tuple(table for noun in NOUNS for table in noun.tables)
# Tables that backups leave out: their rows would be useless or harmful after a restore.
UNSAVED: Final = frozenset(table._meta.tablename for noun in NOUNS for table in noun.unsaved)
EVENTS: Final[dict[str, Event]] = {event.name: event for noun in NOUNS for event in noun.events}
JOBS: Final[tuple[Job, ...]] = tuple(job for noun in NOUNS for job in noun.jobs)
EXPORTS: Final[tuple[Export, ...]] = tuple(export for noun in NOUNS for export in noun.exports)
PURGES: Final[tuple[Purge, ...]] = tuple(purge for noun in NOUNS for purge in noun.purges)
