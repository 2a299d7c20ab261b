"""The emails about alerts: new ones at once, a day's in a digest, and the daily limit of automatic suspensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from app import clock
from app.alerts import words
from app.alerts.alert import Alert, Kind
from app.alerts.rules import RULES
from app.catalogue import Catalogue
from app.keys.key import ApiKey
from app.mail import EmailContent
from app.tenancy.workspace import Workspace

# The URL of a path.
Link: TypeAlias = Callable[[str], str]
# Paragraphs of a digest, so that no flood of alerts makes an e-mail that servers refuse.
MOST_WRITTEN: Final = 200
_TEXT_BEFORE: Final = {
    Kind.ROTATE_BY: "Rotate it by {at} ({left}). Both keys work while your callers move over.",
    Kind.EXPIRY: "It expires on {at} ({left}). From then on all its requests are refused. Extend or replace it before then.",
}
_TEXT_WHEN_DUE: Final = {
    Kind.ROTATE_BY: "It should have been rotated by {at}. It still works; rotate it when you can.",
    Kind.EXPIRY: "It expired on {at}. Its requests are refused, and an expired key cannot come back: create a new one.",
    Kind.LEAKED: "Its secret was reported as leaked, so it was revoked on {at}. Give its users a new key, and check"
    " what it was used for.",
    Kind.DEADLINE: "The deadline of its rotation passed on {at}. Both keys work and count toward your plan: finish or cancel it.",
}


def new_alerts(workspace: Workspace, alerts: list[Alert], known: Catalogue, link: Link, now: int) -> EmailContent:
    """The email about new alerts of one workspace. Times are in its time zone."""
    count = "One API key" if len(alerts) == 1 else f"{len(alerts)} notices about API keys"
    parts = [_paragraph(workspace, alert, known, link, now) for alert in alerts]
    verb = " needs attention" if len(alerts) == 1 else ""
    return EmailContent(f"{workspace.name}: {count}{verb}", "\n".join([*parts, _end(workspace, link)]))


def daily_digest(workspace: Workspace, alerts: list[Alert], known: Catalogue, link: Link, now: int) -> EmailContent:
    """The email about the alerts since the last digest of a member, as they are now; the first MOST_WRITTEN in full."""
    count = "1 alert" if len(alerts) == 1 else f"{len(alerts)} alerts"
    still_open = sum(alert.is_open for alert in alerts)
    beginning = f"{count} since your last digest, {still_open} still open.\n"
    parts = [_paragraph(workspace, alert, known, link, now, dated=True) for alert in alerts[:MOST_WRITTEN]]
    if more := len(alerts) - len(parts):
        parts.append(f"And {more} more.\n")
    return EmailContent(
        f"{workspace.name}: {count} about API keys, daily digest", "\n".join([beginning, *parts, _end(workspace, link)])
    )


def limit_reached(workspace: Workspace, key: ApiKey, kind: Kind, most_a_day: int, link: Link) -> EmailContent:
    """The email to owners about the first key that was not suspended because of the daily limit."""
    count = "1 key was" if most_a_day == 1 else f"{most_a_day} keys were"
    return EmailContent(
        f"{workspace.name}: the daily limit of automatic suspensions is reached",
        f"Within 24 hours {count} suspended automatically, as many as {workspace.name} allows. So this key was not suspended,"
        f" although the rule {RULES[kind].title} would have:\n\n{key.name} ({key.prefix}…)\n"
        f"{link(f'/w/{workspace.slug}/settings/api-keys/{key.id}')}\n\n"
        "Further alerts suspend nothing until 24 hours have passed since the earlier suspensions. Check the open alerts, and"
        f" suspend by hand the keys that must not be used:\n{link(f'/w/{workspace.slug}/alerts')}\n\n"
        f"The limit is set here: {link(f'/w/{workspace.slug}/alerts/suspension')}\n",
    )


def _end(workspace: Workspace, link: Link) -> str:
    return (
        f"All open alerts: {link(f'/w/{workspace.slug}/alerts')}\n"
        f"Which alerts you get by e-mail, and when: {link(f'/w/{workspace.slug}/settings/alert-mail')}\n"
    )


def _paragraph(workspace: Workspace, alert: Alert, known: Catalogue, link: Link, now: int, *, dated: bool = False) -> str:
    """`dated`: with the time at which the alert was raised, and whether it was resolved since."""
    key = alert.key
    environment = known.environment(key.environment).title
    url = link(f"/w/{workspace.slug}/settings/api-keys/{key.id}")
    raised = f"{clock.in_zone(alert.at, workspace.timezone):%a %-d %b, %H:%M}: " if dated else ""
    resolved = "" if alert.is_open or not dated else " Resolved since."
    return f"{key.name} ({key.prefix}…, {environment})\n{raised}{_sentence(workspace, alert, now)}{resolved}\n{url}\n"


def _sentence(workspace: Workspace, alert: Alert, now: int) -> str:
    if not alert.is_dated:
        said = (RULES[alert.kind].title + ".", words.summary(alert), words.usual(alert), words.suspension(alert))
        return " ".join(filter(None, said))
    local = clock.in_zone(alert.about, workspace.timezone)
    sentences = _TEXT_WHEN_DUE if alert.has_come(now) else _TEXT_BEFORE
    return sentences[alert.kind].format(at=f"{local:%a %-d %b %Y, %H:%M %Z}", left=_left(alert.about - now))


def _left(span: int) -> str:
    """`in 6 days`, `in 23 hours`; rounded down, so that it never promises more time than there is."""
    for length, name in ((clock.DAY, "day"), (clock.HOUR, "hour")):
        if span >= length:
            count = span // length
            return f"in {count} {name}{'' if count == 1 else 's'}"
    return "within the hour"
