"""GraphQL can do everything the dashboard does, except sign-in, the user's own account, and the calendar link."""

from __future__ import annotations

from typing import Final

import pytest

from app.api.schema import core
from tests.support.routes import routes

_KEY: Final = "/w/{slug}/settings/api-keys/{key_id}"
_ROTATION: Final = f"{_KEY}/rotation"
_MEMBERS: Final = "/w/{slug}/settings/members"
_WEBHOOKS: Final = "/w/{slug}/settings/webhooks"
_MANAGEMENT_KEYS: Final = "/w/{slug}/settings/management-keys"
_WEBHOOK: Final = f"{_WEBHOOKS}/{{webhook_id}}"
# Each form, with the mutations that do the same.
SAME: Final = {
    "/w/{slug}/settings/api-keys/new": ["createApiKey"],
    "/w/{slug}/settings/api-keys/bulk/suspension": ["suspendApiKeys"],
    "/w/{slug}/settings/api-keys/bulk/resumption": ["resumeApiKeys"],
    "/w/{slug}/settings/api-keys/bulk/revocation": ["revokeApiKeys"],
    "/w/{slug}/settings/api-keys/bulk/rotation": ["rotateApiKeys"],
    "/w/{slug}/settings/api-keys/bulk/extension": ["updateApiKeys"],
    f"{_KEY}/edit": ["updateApiKey"],
    f"{_KEY}/suspension": ["suspendApiKey", "resumeApiKey"],
    f"{_KEY}/revocation": ["revokeApiKey"],
    f"{_KEY}/unused-permissions": ["updateApiKey"],
    f"{_KEY}/replacement": ["replaceUnusedApiKey"],
    _ROTATION: ["rotateApiKey"],
    f"{_ROTATION}/completion": ["completeRotation"],
    f"{_ROTATION}/cancellation": ["cancelRotation"],
    f"{_ROTATION}/extension": ["extendRotation"],
    f"{_ROTATION}/dismissals": ["dismissCaller"],
    f"{_ROTATION}/restorations": ["restoreCaller"],
    f"{_ROTATION}/replacement": ["replaceUnusedApiKey"],
    _MEMBERS: ["inviteMember"],
    f"{_MEMBERS}/invitations/{{invitation_id}}/withdrawal": ["withdrawInvitation"],
    f"{_MEMBERS}/{{user_id}}/role": ["changeMemberRole"],
    f"{_MEMBERS}/{{user_id}}/removal": ["removeMember"],
    "/w/{slug}/checklist/{item}/attestation": ["attestChecklistItem"],
    "/w/{slug}/alerts/{alert_id}/resolution": ["resolveAlert"],
    "/w/{slug}/alerts/suspension": ["updateAutomaticSuspension"],
    "/w/{slug}/settings/alert-mail": ["updateAlertMail"],
    f"{_KEY}/expected-use": ["setExpectedUse"],
    "/w/{slug}/settings/plan/{name}": ["changePlan"],
    "/workspaces/new": ["createWorkspace"],
    "/w/{slug}/settings/workspace": ["updateWorkspace"],
    "/w/{slug}/settings/workspace/deletion": ["deleteWorkspace"],
    f"{_WEBHOOKS}/new": ["createWebhook"],
    f"{_WEBHOOK}/edit": ["updateWebhook"],
    f"{_WEBHOOK}/activation": ["updateWebhook"],
    f"{_WEBHOOK}/secret": ["rotateWebhookSecret"],
    f"{_WEBHOOK}/tests": ["testWebhook"],
    f"{_WEBHOOK}/deliveries/{{delivery_id}}/repetition": ["redeliverWebhook"],
    f"{_WEBHOOK}/deletion": ["deleteWebhook"],
    f"{_MANAGEMENT_KEYS}/new": ["createManagementKey"],
    f"{_MANAGEMENT_KEYS}/{{management_key_id}}/revocation": ["revokeManagementKey"],
}
SIGNING_IN: Final = {
    "/set-up/{token}", "/sign-in", "/sign-out", "/password-reset", "/password-reset/{token}",
    "/invitations/{token}", "/email-change/{token}",
}  # fmt: skip
OWN_ACCOUNT: Final = {
    "/account/name", "/account/email", "/account/confirm", "/account/password", "/account/sessions/{session_id}/end",
}  # fmt: skip
# A calendar program has no management key: its link is created where a person can copy it.
CALENDAR_LINK: Final = {"/w/{slug}/settings/calendar", "/w/{slug}/settings/calendar/withdrawal"}


def test_every_form_has_a_mutation_that_does_the_same_or_belongs_to_the_browser() -> None:
    beside = SIGNING_IN | OWN_ACCOUNT | CALENDAR_LINK
    assert {route for route in routes("POST") if route not in SAME} == beside


@pytest.mark.parametrize("route", sorted(SAME))
def test_the_mutations_of_this_table_exist(route: str) -> None:
    mutation = core().mutation_type
    assert route in routes("POST") and mutation and set(SAME[route]) <= set(mutation.fields)


def test_every_mutation_has_a_form_except_those_for_programs() -> None:
    mutation = core().mutation_type
    done = {name for names in SAME.values() for name in names}
    for_programs = {"verifyApiKey"}
    for_the_operator = {"provisionWorkspace", "suspendWorkspace", "resumeWorkspace", "transferWorkspace"}
    assert mutation and set(mutation.fields) - done == for_programs | for_the_operator
