"""Which alerts a member gets by e-mail, and when, as frozen data and pure rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final

from app import clock
from app.access.actor import Role
from app.alerts.alert import Alert, Kind
from app.alerts.rules import RULES
from app.versions import version_of

DEFAULT_HOUR: Final = 8


class Delivery(StrEnum):
    """How alerts of a kind are mailed: with the change that raises them, once a day together with others, or not at all."""

    AT_ONCE = "AT_ONCE"
    DAILY = "DAILY"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True)
class AlertMail:
    """The choice of a member. `chosen`: kinds that they have decided on; `hour` of their digest, in the workspace's time zone.
    `digested_at`: when their last digest was written; None: never."""

    role: Role
    chosen: Mapping[Kind, Delivery] = field(default_factory=dict)
    hour: int = DEFAULT_HOUR
    digested_at: int | None = None

    @property
    def deliveries(self) -> dict[Kind, Delivery]:
        """For each kind, in the order of the rules. Who can act on alerts gets them at once unless they decide otherwise."""
        usual = Delivery.AT_ONCE if self.role.includes(Role.EDITOR) else Delivery.NEVER
        return {kind: self.chosen.get(kind, usual) for kind in RULES}

    @property
    def version(self) -> str:
        return version_of([(str(kind), str(each)) for kind, each in self.deliveries.items()], self.hour)

    def delivery(self, alert: Alert) -> Delivery:
        """How this alert is mailed: an alert that has suspended its key at once, to members with a digest too."""
        found = self.deliveries[alert.kind]
        return Delivery.AT_ONCE if found is Delivery.DAILY and alert.suspended_at is not None else found

    def next_digest(self, zone: str, now: int) -> int:
        """When an alert of now is due in the digest: the next time that it is this hour, on a day without a digest so far."""
        last = self.digested_at if self.digested_at is not None and self.digested_at <= now else None
        moment = clock.in_zone(now, zone).replace(hour=self.hour, minute=0, second=0, microsecond=0, fold=0)
        while clock.microseconds(moment) <= now or (last is not None and moment.date() <= clock.in_zone(last, zone).date()):
            moment += timedelta(days=1)
        return clock.microseconds(moment)
