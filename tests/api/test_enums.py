"""The enums of the contract, whose values clients can switch on, and the path of a fault."""

from __future__ import annotations

from typing import get_args

from app import database, errors
from app.access.actor import Scope
from app.api.framework.codes import FieldFault, UsageOutcome
from app.api.framework.scalars import SCOPES
from app.api.schema import core
from app.clock import DAY, HOUR, rfc3339
from app.usage.usage import FAILED, SUCCEEDED
from app.verification.verdict import Code
from tests.conftest import Team, make_key
from tests.support.callers import use
from tests.support.graphql import Client


def test_each_enum_has_exactly_the_values_of_its_source() -> None:
    assert set(FieldFault) == set(get_args(errors.Fault))
    assert set(UsageOutcome) == set(Code) - {Code.MALFORMED, Code.NOT_FOUND} | {SUCCEEDED, FAILED}
    kinds = core().type_map
    assert {*kinds["VerificationCode"].values} == {*Code}  # type: ignore[attr-defined]
    assert set(SCOPES) == set(Scope)


async def test_the_path_of_a_fault_names_the_entry_of_the_list(owner: Client, team: Team) -> None:
    refused = await owner.change(
        "keys/create",
        name="",
        environment="production",
        permissions=["pdf.read", "pdf.fly"],
        allowedIps=["203.0.113.9", "here", "203.0.113.0/24", "there"],
    )
    assert [(fault["field"], fault["path"], fault["code"]) for fault in refused["fields"]] == [
        ("name", ["name"], "REQUIRED"),
        ("permissions", ["permissions", "1"], "UNKNOWN"),
        ("allowedIps", ["allowedIps", "1"], "INVALID"),
        ("allowedIps", ["allowedIps", "3"], "INVALID"),
    ]
    hours = {"days": ["MONDAY"], "opens": "18:00", "closes": "08:00"}
    (fault,) = (await owner.change("workspaces/update", businessHours=hours))["fields"]
    assert (fault["field"], fault["path"]) == ("businessHours.closes", ["businessHours", "closes"])


async def test_scopes_are_the_same_texts_in_inputs_and_answers(owner: Client, team: Team) -> None:
    asked = {"name": "CI", "scopes": ["keys.read", "usage.read"], "expiresAt": rfc3339(await database.now() + DAY)}
    made = await owner.change("management/create", **asked)
    assert made["managementKey"]["scopes"] == asked["scopes"]
    viewer = await Client(token=made["secret"]).ask("{ viewer { scopes effectiveScopes } }")
    assert viewer["viewer"] == {"scopes": asked["scopes"], "effectiveScopes": asked["scopes"]}
    refused = await owner.change("management/create", **(asked | {"scopes": ["keys.read", "keys.fly"]}))
    assert [(fault["path"], fault["code"]) for fault in refused["fields"]] == [(["scopes", "1"], "UNKNOWN")]


async def test_outcomes_of_requests_are_values_of_the_enum(owner: Client, team: Team) -> None:
    key = (await make_key(team)).key.id
    await use(key)
    values = [(key, await database.now() // HOUR * HOUR, "", outcome, 2) for outcome in UsageOutcome if outcome != "VALID"]
    async with database.transaction():
        for row in values:
            await database.fetch(
                "INSERT INTO usage_hour (key, hour, permission, outcome, requests) VALUES ({}, {}, {}, {}, {})", *row
            )
    by_outcome = (await owner.run("keys/usage", id=key))["usage"]["byOutcome"]
    assert {each["outcome"]: each["total"] for each in by_outcome} == {**dict.fromkeys(UsageOutcome, 2), "VALID": 1}
