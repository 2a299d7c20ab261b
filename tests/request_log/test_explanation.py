"""Explanations: the rule as it was then, and a fix that fits the key as it is now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.clock import DAY, HOUR
from app.keys.key import ApiKey, Reason, Revocation
from app.request_log.explanation import Remedy, explain
from app.request_log.request import MOST_NAMES, LoggedRequest, Rule, decoded, encoded
from app.verification.refusing_rule import refusing_rule
from app.verification.verdict import AccessRequest, Code, Gateway, KeyRecord, evaluate
from tests.request_log.conftest import NOW, a_key

KEY = KeyRecord("key_x", "wsp_x", "acme", "Name", "production", ("pdf.read",), (), None, None, None, 1)
CASES: list[tuple[dict[str, Any], AccessRequest, Gateway, dict[str, Any], str, str, Remedy]] = [
    (
        {"revoked_at": NOW - DAY},
        AccessRequest(),
        Gateway("gtk_x"),
        {},
        "The key was revoked on Sun 20 Sep 2026, 16:13 CEST. A revoked key is never accepted again.",
        "Create a new key",
        Remedy.CREATE_KEY,
    ),
    (
        {"expires_at": NOW - HOUR},
        AccessRequest(),
        Gateway("gtk_x"),
        {},
        "The key expired on Mon 21 Sep 2026, 15:13 CEST.",
        "Create a new key",
        Remedy.CREATE_KEY,
    ),
    (
        {"suspended_at": NOW - HOUR},
        AccessRequest(),
        Gateway("gtk_x"),
        {"suspended_at": NOW - HOUR},
        "was suspended on Mon 21 Sep 2026, 15:13 CEST.",
        "Resume the key.",
        Remedy.RESUME_KEY,
    ),
    (
        {"suspended_at": NOW - HOUR},
        AccessRequest(),
        Gateway("gtk_x"),
        {},
        "was suspended on Mon 21 Sep 2026, 15:13 CEST.",
        "The key itself is not suspended now.",
        Remedy.NONE,
    ),
    (
        {"allowed_ips": ("192.0.2.0/24",)},
        AccessRequest(address="203.0.113.9"),
        Gateway("gtk_x"),
        {"allowed_ips": ("192.0.2.0/24",)},
        "The key was allowed only from 192.0.2.0/24. This request came from 203.0.113.0/24.",
        "If this network is yours, add it to the key's allowed addresses.",
        Remedy.EDIT_KEY,
    ),
    (
        {"allowed_ips": ("192.0.2.0/24",)},
        AccessRequest(address="203.0.113.9"),
        Gateway("gtk_x"),
        {"allowed_ips": ("203.0.113.0/24",)},
        "The key was allowed only from 192.0.2.0/24.",
        "were changed since: now the key is allowed from 203.0.113.0/24.",
        Remedy.EDIT_KEY,
    ),
    (
        {"allowed_ips": ("192.0.2.0/24",)},
        AccessRequest(),
        Gateway("gtk_x"),
        {"allowed_ips": ("192.0.2.0/24",)},
        "and the gateway sent no address",
        "KEYDESK_TRUSTED_PROXIES",
        Remedy.NONE,
    ),
    (
        {},
        AccessRequest(environment="staging"),
        Gateway("gtk_x"),
        {},
        "The key is one of the environment production, and the request was for staging.",
        "Use a key of the environment staging.",
        Remedy.USE_OTHER_KEY,
    ),
    (
        {},
        AccessRequest(),
        Gateway("gtk_x", environment="staging"),
        {},
        "the gateway's token only takes keys of staging.",
        "Use a key of staging",
        Remedy.USE_OTHER_KEY,
    ),
    (
        {},
        AccessRequest(permission="pdf.generate"),
        Gateway("gtk_x"),
        {},
        "The request needed pdf.generate. The key had pdf.read.",
        "add pdf.generate to the key.",
        Remedy.EDIT_KEY,
    ),
    (
        {},
        AccessRequest(permission="pdf.generate"),
        Gateway("gtk_x"),
        {"permissions": ("pdf.generate", "pdf.read")},
        "The request needed pdf.generate. The key had pdf.read.",
        "The key has pdf.generate now.",
        Remedy.NONE,
    ),
]


@pytest.mark.parametrize(("stored", "asked", "gateway", "changed", "cause", "fix", "remedy"), CASES)
def test_a_refusal_names_the_rule_as_it_was_then_and_the_fix(
    stored: dict[str, Any], asked: AccessRequest, gateway: Gateway, changed: dict[str, Any], cause: str, fix: str, remedy: Remedy
) -> None:
    record = KeyRecord(**{name: getattr(KEY, name) for name in KEY.__struct_fields__} | stored)
    verdict = evaluate(asked, record, gateway, NOW)
    assert not verdict.valid
    found = explain(
        _logged(verdict.code, asked, refusing_rule(verdict.code, record, asked, gateway)), _now(changed), NOW, "Europe/Berlin"
    )
    assert cause in found.cause and fix in found.fix and found.remedy is remedy


def test_every_refusal_of_a_key_has_an_explanation_of_its_own() -> None:
    refusals = [code for code in Code if code not in (Code.VALID, Code.MALFORMED, Code.NOT_FOUND)]
    causes = {explain(_logged(code, AccessRequest(), None), a_key(), NOW, "UTC").cause for code in refusals}
    assert len(causes) == len(refusals)
    assert not any(str(code) in cause for code in refusals for cause in causes)


def test_a_key_that_was_rotated_leads_to_its_successor() -> None:
    key = a_key()
    gone = replace(key, revocation=Revocation(NOW - DAY, key.created_by, Reason.ROTATED, ""))
    found = explain(
        _logged(Code.REVOKED, AccessRequest(), refusing_rule(Code.REVOKED, KEY, AccessRequest(), None)), gone, NOW, "UTC"
    )
    assert "the key that replaced it" in found.fix


def test_a_rule_keeps_a_bounded_number_of_names_and_says_how_many_more() -> None:
    names = tuple(f"pdf.n{number}" for number in range(MOST_NAMES + 7))
    rule = decoded(encoded(Rule.that_allowed(names)))
    assert (rule.allowed, rule.more) == (names[:MOST_NAMES], 7)
    found = explain(_logged(Code.PERMISSION_DENIED, AccessRequest(permission="pdf.x"), encoded(rule)), a_key(), NOW, "UTC")
    assert found.cause.endswith("and 7 more.")
    assert decoded(None) == decoded(encoded(Rule())) == Rule()


def _logged(code: Code, asked: AccessRequest, rule: str | None) -> LoggedRequest:
    network = "203.0.113.0/24" if asked.address else ""
    return LoggedRequest("req_x", "key_x", NOW, str(code), asked.permission, network, "curl", decoded(rule))


def _now(changed: dict[str, Any]) -> ApiKey:
    key = a_key()
    own = {name: value for name, value in changed.items() if name == "suspended_at"}
    settings = {name: value for name, value in changed.items() if name != "suspended_at"}
    return replace(key, **own, **settings)
