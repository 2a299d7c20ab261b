"""A key's settings are declared once: each of them takes part in everything that is derived from them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from typing import Any, Final

import pytest

from app import database
from app.access.actor import Actor
from app.api.key_mutations import ApiKeyPreview, CreateApiKeyInput, UpdateApiKeyInput
from app.api.key_types import ApiKey as ApiKeyType
from app.audit import service as audit
from app.clock import DAY, SECOND
from app.keys import key as noun
from app.keys import service as keys
from app.keys.key import OF_FIRST_RELEASE, ApiKey, KeySettings, Owner
from app.rotations import service as rotations
from app.web import key_form
from tests.conftest import Team
from tests.support.access import seen

NOW: Final = 1_800_000_000 * SECOND
NAMES: Final = [item.name for item in fields(KeySettings)]
ONE: Final = KeySettings(
    "One",
    "production",
    ("pdf.generate", "pdf.read"),
    NOW + 90 * DAY,
    ("203.0.113.0/24",),
    "First of two",
    ("pci=", "team=web"),
    Owner("usr_1", "Ada"),
)
OTHER: Final = KeySettings(
    "Other",
    "staging",
    ("pdf.read",),
    NOW + 60 * DAY,
    ("2001:db8::/48",),
    "Second of two",
    ("team=jobs",),
    Owner("usr_2", "Bea"),
)
EDITABLE: Final = [name for name in NAMES if name != "environment"]


def key_with(settings: KeySettings) -> ApiKey:
    return ApiKey(
        **settings.values(), id="key_1", workspace_id="wsp_1", prefix="fl_live_a1b2", created_at=NOW, created_by=Actor.system().ref,
        suspended_at=None, revocation=None, last_used_at=None, last_used_ip=None,
    )  # fmt: skip


def with_other(name: str) -> KeySettings:
    return replace(ONE, **{name: getattr(OTHER, name)})


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_in_the_difference_the_audit_detail_and_the_fingerprint(name: str) -> None:
    new, key = with_other(name), key_with(ONE)
    assert list(ONE.detail()) == NAMES and ONE.detail() != new.detail()
    assert key.changes(new) == {name: {"before": ONE.detail()[name], "after": new.detail()[name]}}
    assert key.changes(ONE) == {}
    assert json.loads(json.dumps(new.detail())) == new.detail()
    assert len(ONE.fingerprint()) == len(NAMES) and ONE.fingerprint() != new.fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_is_in_the_copy_and_the_version(name: str) -> None:
    key = key_with(with_other(name))
    assert key.settings == with_other(name) != ONE
    assert (key.version != key_with(ONE).version) == (name in EDITABLE)


def test_fingerprints_versions_and_details_are_the_ones_of_earlier_releases() -> None:
    """Idempotency keys are stored for 24 hours, forms stay open, and audit entries stay."""
    full = KeySettings(
        "  Ledger\u200b service é ", "production", ("pdf.read", "pdf.generate", "pdf.read"), 1_893_456_000_123_456,
        ("203.0.113.0/24", "2001:db8::/48"),
    )  # fmt: skip
    bare = KeySettings("Bare", "sandbox", ("pdf.read",))
    assert [hashlib.sha256(json.dumps(each.fingerprint()).encode()).hexdigest() for each in (full, bare)] == [
        "2af863139a309d5dd7db342ddd61c72382485bc5de13092eeba3e00b82f47ef3",
        "d2c5dfb04eda661f9587d52a97f25c0bc395d89b8dcf5c8c089e1eb450fcebdd",
    ]
    assert [key_with(each).version for each in (full, bare)] == ["2d4fce5a385e715a", "986bf707e4a7d82c"]
    assert json.dumps({name: bare.detail()[name] for name in NAMES[:OF_FIRST_RELEASE]}) == (
        '{"name": "Bare", "environment": "sandbox", "permissions": ["pdf.read"], "expires_at": null, "allowed_ips": []}'
    )
    assert full.detail()["expires_at"] == "2030-01-01T00:00:00.123456Z"


def test_a_setting_of_a_later_release_counts_only_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noun, "OF_FIRST_RELEASE", NAMES.index("allowed_ips"))
    bare = KeySettings("Bare", "production", ("pdf.read",))
    full = replace(bare, allowed_ips=("203.0.113.0/24",))
    assert (bare.added(), full.added()) == ([], [("allowed_ips", full.allowed_ips)])
    assert json.dumps(full.fingerprint()[-1]) == '["allowed_ips", ["203.0.113.0/24"]]'


@pytest.mark.parametrize("name", EDITABLE)
async def test_each_setting_is_stored_edited_audited_and_copied_to_the_successor(team: Team, name: str) -> None:
    database.freeze(NOW)
    one, other = [
        replace(settings, owner=Owner(actor.id, actor.name, is_member=True))
        for settings, actor in ((ONE, team.owner), (OTHER, team.viewer))
    ]
    key = (await keys.create(team.owner, team.slug, one)).key
    assert (await keys.get(team.owner, key.id)).settings == one
    edit: dict[str, Any] = {name: getattr(other, name), "environment": "staging"}
    edited = await keys.update(team.owner, key.id, edit)
    assert edited == await keys.get(team.owner, key.id) and edited.settings == replace(one, **{name: getattr(other, name)})
    entries = await audit.about(await seen(team.owner, team.slug), key.id)
    assert [entry.detail for entry in entries] == [one.changes(edited), {"prefix": key.prefix, **one.detail()}]
    run = (await rotations.start(team.owner, key.id)).progress
    assert run.successor.settings == edited.settings


def test_both_forms_and_the_api_have_each_setting() -> None:
    def has(kind: Any) -> set[str]:
        return {item.name for item in fields(kind)} & set(NAMES)

    assert has(CreateApiKeyInput) == has(ApiKeyPreview) == has(ApiKeyType) == set(NAMES)
    assert has(UpdateApiKeyInput) == set(EDITABLE)
    typed = [name.split("_")[0] + "".join(word.capitalize() for word in name.split("_")[1:]) for name in NAMES]
    # The owner of a new key is the one who creates it; the edit form offers the members.
    assert set(typed) == set(key_form.FIELDS) - {"preset", "lifetime"} | {"owner"}
