"""Actions of the operator only: one table, and every use case that checks it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from app import catalogue, exporting
from app.access.actor import Actor, ActorKind, OperatorScope
from app.access.policy import OPERATOR, OPERATOR_KEYS, Action, OperatorAction
from app.audit import service as audit
from app.authentication import service as authentication
from app.demo import service as demo
from app.doctor import service as doctor
from app.doctor.preview import preview
from app.errors import NotAllowed
from app.gateway_tokens import service as gateway_tokens
from app.keys import importing
from app.keys import service as keys
from app.keys.import_columns import Source
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.operator_keys import service as operator_keys
from app.paging import Window
from app.plans import service as plans
from app.provisioning import ownership
from app.provisioning.ownership import Wanted
from app.settings import Settings
from app.tenancy import service as tenancy
from app.tenancy.workspace import WorkspaceFilter
from app.workspaces import service as workspaces
from tests.conftest import Team

OWNER = {"email": "eve@example.org", "name": "Eve", "password": "quite a long horse story 7", "workspace": "Hers"}
USES: dict[OperatorAction, list[Callable[[Actor, Settings], Awaitable[Any]]]] = {
    OperatorAction.CREATE_WORKSPACE: [
        lambda actor, _: authentication.create_owner(actor, **OWNER),
        lambda actor, _: ownership.provision(actor, Wanted("Acme", "ann@example.org")),
    ],
    OperatorAction.TRANSFER_WORKSPACE: [lambda actor, _: ownership.transfer(actor, "acme", "ann@example.org")],
    OperatorAction.SUSPEND_WORKSPACE: [
        lambda actor, _: workspaces.suspend(actor, "acme"),
        lambda actor, _: workspaces.resume(actor, "acme"),
    ],
    OperatorAction.LIST_WORKSPACES: [
        lambda actor, _: tenancy.everywhere(actor, WorkspaceFilter(), Window(1)),
        lambda actor, _: tenancy.count_everywhere(actor, WorkspaceFilter()),
    ],
    OperatorAction.MANAGE_OPERATOR_KEYS: [
        lambda actor, _: operator_keys.create(actor, ManagementKeyInput("Billing", ("workspaces.read",), 0)),
        lambda actor, _: operator_keys.keys(actor),
        lambda actor, _: operator_keys.revoke(actor, "opk_aaaaaaaaaaaaaaaaaaaa"),
    ],
    OperatorAction.RESET_PASSWORD: [lambda actor, _: authentication.password_reset_link(actor, "owner@acme.example")],
    OperatorAction.LOOK_UP_USER: [lambda actor, _: authentication.user_exists(actor, "owner@acme.example")],
    OperatorAction.FIND_BY_SECRET: [
        lambda actor, _: keys.find_by_secret(actor, "fl_live_x"),
        lambda actor, _: management_keys.find_by_secret(actor, "fl_mgmt_x"),
        lambda actor, _: operator_keys.find_by_secret(actor, "fl_mgmt_x"),
    ],
    OperatorAction.MANAGE_GATEWAY_TOKENS: [
        lambda actor, _: gateway_tokens.create(actor, "edge"),
        lambda actor, _: gateway_tokens.revoke(actor, "edge"),
        lambda actor, _: gateway_tokens.find_by_secret(actor, "fl_gate_x"),
    ],
    OperatorAction.LIST_PLANS: [lambda actor, _: plans.over_limit(actor)],
    OperatorAction.CHECK_AUDIT_LOG: [lambda actor, _: audit.checked(actor)],
    OperatorAction.EXAMINE: [doctor.examine],
    OperatorAction.PREVIEW_CATALOGUE: [lambda actor, _: preview(actor, catalogue.current())],
    OperatorAction.MAKE_DEMO: [lambda actor, _: demo.make(actor)],
    OperatorAction.EXPORT: [lambda actor, _: anext(exporting.lines(actor, None, digests=True))],
    OperatorAction.IMPORT: [
        lambda actor, _: importing.preview(actor, "acme", []),
        lambda actor, _: importing.apply(actor, "acme", Source.CSV, []),
    ],
}


def test_every_action_has_a_row_and_a_use_case() -> None:
    assert set(OPERATOR) == set(OperatorAction) == set(USES)


@pytest.mark.parametrize("action", list(OperatorAction))
async def test_an_owner_may_do_none_of_them(team: Team, settings: Settings, action: OperatorAction) -> None:
    for use in USES[action]:
        with pytest.raises(NotAllowed, match=f"^Only the operator of Keydesk can {OPERATOR[action]}"):
            await use(team.owner, settings)


async def test_an_operator_key_may_do_only_what_the_table_gives_it(team: Team, settings: Settings) -> None:
    every = Actor(ActorKind.OPERATOR_KEY, "opk_x", "Billing", scopes=frozenset(OperatorScope))
    for action in set(OperatorAction) - set(OPERATOR_KEYS):
        for use in USES[action]:
            with pytest.raises(NotAllowed, match=r"^An operator key cannot do this"):
                await use(every, settings)
    access = await tenancy.seen(every, team.slug)
    assert {action for action in Action if access.may(action)} == set(OPERATOR_KEYS) & set(Action)
    nothing = await tenancy.seen(replace(every, scopes=frozenset()), team.slug)
    assert not any(nothing.may(action) for action in Action)
