"""Every table and every column is exported, or listed here with the reason why not."""

from __future__ import annotations

from typing import Final

from app.database import exported
from app.nouns import EXPORTS, TABLES

# Tables that no export contains.
LEFT_OUT: Final = {
    "pepper": "fingerprints of peppers, of use to this installation alone",
    "installation": "the head of the system's audit chain, and its wrapped key",
    "outbox": "what is to be sent, sealed",
    "session": "lasts hours",
    "link": "lasts days, and would open something",
    "throttle": "lasts minutes",
    "idempotency": "lasts a day",
    "usage_hour": "exported by days",
    "usage_batch": "whether a report was taken before; lasts a month",
    "usage_log": "is counted before an export",
    "workspace_day": "the sum over the keys of a workspace",
    "usage_closed": "how far a job has come",
    "key_refusal": "lasts minutes",
    "key_watch": "what a job has to do",
    "key_baseline": "learned from usage, and learned again",
    "alert_digest": "waits for a mail",
    "notice": "alerts of the version before, which are in `alert` too",
    "usage_visit": "when people looked at a page",
    "webhook_delivery": "lasts days, and answers of others are in it",
    "job": "which node does what",
}
# Columns of exported tables that no export contains, not even with digests.
HIDDEN: Final = {
    "account": {"email_key": "the same address", "password_hash": "can be guessed", "last_workspace": "where the page opens"},
    "workspace": {
        "revision": "counts changes",
        "audit_length": "is the number of entries",
        "audit_head": "is the MAC of the last entry",
        "audit_key": "a secret, wrapped",
        "webhooks": "is the number of webhooks",
    },
    "api_key": {"name_key": "the same name"},
    "rotation": {"repeat_scope": "an idempotency key", "repeat_input": "the same", "announced_state": "what was sent last"},
    "alert": {"parts": "how an incident is recognized again", "subjects": "the same"},
    "alert_mail": {"digested_at": "what was sent last"},
    "calendar_link": {"digest": "of a link that opens the calendar"},
    "webhook": {"sealed": "the address, which often is a secret, and the secrets"},
}


def test_every_table_is_exported_or_left_out_for_a_reason() -> None:
    declared = {export.table for export in EXPORTS}
    assert declared - {"usage_day"} == {table._meta.tablename for table in TABLES} - LEFT_OUT.keys()
    assert len({export.type for export in EXPORTS}) == len(EXPORTS) == len(declared)


def test_every_column_is_exported_or_hidden_for_a_reason() -> None:
    of = {export.table: set(exported.columns(export, digests=True)) for export in EXPORTS}
    for table in TABLES:
        name = table._meta.tablename
        if name in of:
            assert {column._meta.db_column_name for column in table._meta.columns} == of[name] | HIDDEN.get(name, {}).keys(), name
            assert not of[name] & HIDDEN.get(name, {}).keys()


def test_digests_are_exported_only_with_digests() -> None:
    plain = {name for export in EXPORTS for name in exported.columns(export, digests=False)}
    assert not [name for name in plain if "digest" in name and name != "digest_hour"]
