"""The demo's scenario: eight live keys and a revoked one, with the traffic of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.catalogue import Catalogue
from app.clock import DAY, HOUR
from app.keys.key import KeySettings, Reason

EMAIL: Final = "ada@example.com"
NAME: Final = "Ada Lovelace"
WORKSPACE: Final = "Acme"
SLUG: Final = "acme"
TIMEZONE: Final = "Europe/Berlin"
FOUNDED_DAYS_AGO: Final = 125.4


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in the busiest hour, the fractions that remain at night and on weekends, and the fraction that fails.

    `asks`: requested permissions with weights; `callers`: the networks and programs that send the requests.
    """

    peak: int
    nights: float
    failing: float
    asks: tuple[tuple[str, int], ...]
    callers: tuple[tuple[str, str], ...]
    weekends: float = 0.25


@dataclass(frozen=True, slots=True)
class Handover:
    """A rotation that `began` so many days ago; all callers have moved to the new key except the one that is `left`."""

    began: float
    left: Traffic


@dataclass(frozen=True, slots=True)
class DemoKey:
    """A demo key: created `born` days ago, expires in `expires` days, was suspended or revoked `ended` days ago."""

    name: str
    environment: str
    permissions: tuple[str, ...]
    born: float
    traffic: Traffic | None = None
    expires: float | None = None
    allowed_ips: tuple[str, ...] = ()
    description: str | None = None
    labels: tuple[str, ...] = ()
    handover: Handover | None = None
    ended: float | None = None
    revoked: Reason | None = None
    note: str | None = None

    def created_at_and_settings(self, offered: Catalogue, now: int) -> tuple[int, KeySettings]:
        """When the key is created and with which settings, adapted to what a custom catalogue allows."""
        environment = offered.environments.get(self.environment) or next(iter(offered.environments.values()))
        permissions = tuple(name for name in self.permissions if name in offered.permissions) or (next(iter(offered.permissions)),)
        born = now - int(self.born * DAY)
        expires = now + int(self.expires * DAY) if self.expires is not None else None
        if longest := environment.max_lifetime_days:
            expires = expires or (now + longest * DAY // 2 if environment.must_expire else None)
            born = max(born, (expires or 0) - longest * DAY + HOUR)
        return born, KeySettings(self.name, environment.name, permissions, expires, self.allowed_ips, self.description, self.labels)


_WRITES: Final = (("pdf.generate", 6), ("pdf.read", 3))
_READS: Final = (("pdf.read", 1),)

SCENARIO: Final = (
    DemoKey(
        "Invoices (old server)",
        "production",
        ("pdf.generate", "pdf.read", "pdf.delete"),
        born=118.31,
        allowed_ips=("203.0.113.0/28",),
        description="Monthly invoices, until the new invoice service has taken over.\nAsk billing before you change it.",
        labels=("team=billing", "pci="),
        traffic=Traffic(42, 0.1, 0.012, _WRITES, (("203.0.113.9", "invoice-worker"), ("203.0.113.9", "Java-http-client"))),
    ),
    DemoKey(
        "Nightly export",
        "development",
        ("pdf.read",),
        born=103.64,
        ended=12.33,
        revoked=Reason.COMMITTED_TO_REPOSITORY,
        note="Found by the secret scanner in infra/export.yml; the job has a key of its own now.",
        traffic=Traffic(20, 0.9, 0.02, _READS, (("198.51.100.40", "python-requests"),), weekends=1.0),
    ),
    DemoKey(
        "Shop checkout",
        "production",
        ("pdf.generate", "pdf.read"),
        born=80.27,
        description="Order confirmations and delivery notes of the shop.",
        labels=("team=shop", "pci="),
        handover=Handover(2.13, left=Traffic(4, 0.9, 0.0, _READS, (("192.0.2.14", "nightly-cron"),), weekends=1.0)),
        traffic=Traffic(
            310, 0.18, 0.008, _WRITES, (("203.0.113.21", "shop-checkout"), ("198.51.100.77", "order-mailer")), weekends=0.7
        ),
    ),
    DemoKey(
        "Northwind (partner)",
        "production",
        ("pdf.read", "template.read"),
        born=61.55,
        labels=("partner=northwind",),
        ended=2.41,
        traffic=Traffic(28, 0.05, 0.05, (("pdf.read", 4), ("template.read", 1)), (("192.0.2.77", "node"),)),
    ),
    DemoKey(
        "Staging",
        "staging",
        ("pdf.generate", "pdf.read", "template.read"),
        born=43.62,
        traffic=Traffic(
            34,
            0.02,
            0.07,
            (*_WRITES, ("template.read", 2)),
            (("198.51.100.8", "shop-checkout"), ("198.51.100.8", "curl")),
            weekends=0.03,
        ),
    ),
    DemoKey(
        "Template editor, Ada's machine",
        "development",
        ("pdf.generate", "pdf.read", "template.read", "template.write"),
        born=32.4,
        traffic=Traffic(
            11, 0.0, 0.11, (("template.read", 5), ("template.write", 3), ("pdf.generate", 2)), (("198.51.100.12", "curl"),), 0.05
        ),
    ),
    DemoKey(
        "CI pipeline",
        "development",
        ("pdf.read",),
        born=27.35,
        labels=("managed-by=terraform", "team=platform"),
        traffic=Traffic(60, 0.08, 0.03, _READS, (("198.51.100.40", "python-requests"),), weekends=0.1),
    ),
    DemoKey(
        "Load test, spring campaign",
        "temporary",
        ("pdf.generate", "pdf.read"),
        born=15.58,
        expires=3.2,
        traffic=Traffic(150, 0.0, 0.04, _WRITES, (("198.51.100.60", "k6"),), weekends=0.0),
    ),
    DemoKey("Monthly reports", "production", ("pdf.generate",), born=5.3),
)
