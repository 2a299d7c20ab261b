"""Validates the input for a webhook, field by field, and reports all faults at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.alerts import events as alerts
from app.errors import FieldProblem, ValidationFailed
from app.keys import events as keys
from app.keys.secret import mask_secrets
from app.members import events as members
from app.names import name_fault, plain_name
from app.noun import Event
from app.outgoing.url import Rules, UrlRefused, parse
from app.plans import events as plans
from app.rotations import events as rotations
from app.webhooks.webhook import Kind

TEST: Final = Event("webhook.test", "This is a test of the webhook {name}.", published="A test that an owner sent.")
# What a webhook can be sent, by name. A test is sent to any that is asked to.
PUBLISHED: Final[dict[str, Event]] = {
    event.name: event
    for event in (*keys.EVENTS, *rotations.EVENTS, *alerts.EVENTS, *members.EVENTS, *plans.EVENTS)
    if event.published
}


@dataclass(frozen=True, slots=True)
class WebhookInput:
    """Input that was not validated yet. `url`: None keeps that of an existing webhook."""

    name: str
    kind: Kind
    url: str | None = field(repr=False)
    events: Sequence[str] = ()

    def checked(self, rules: Rules) -> WebhookInput:
        """The same, normalized: events in the table's order, without repetitions. Raises ValidationFailed with every fault."""
        faults = [fault for fault in (self._name_fault(), self._url_fault(rules)) if fault]
        faults += [
            FieldProblem("events", "UNKNOWN", f"There is no event {mask_secrets(name)[:60]!r}.", self.events.index(name))
            for name in dict.fromkeys(self.events)
            if name not in PUBLISHED
        ]
        if faults:
            raise ValidationFailed(*faults)
        chosen = tuple(name for name in PUBLISHED if name in self.events)
        return WebhookInput(plain_name(self.name), self.kind, self.url, chosen)

    def _name_fault(self) -> FieldProblem | None:
        return name_fault(self.name, "name", "Enter a name that says who receives the messages.")

    def _url_fault(self, rules: Rules) -> FieldProblem | None:
        if self.url is None:
            return None
        if not self.url:
            return FieldProblem("url", "REQUIRED", "Enter the URL that receives the messages.")
        try:
            parse(self.url, rules)
        except UrlRefused as refusal:
            return FieldProblem("url", "INVALID", str(refusal))
        return None
