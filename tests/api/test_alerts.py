"""Alerts over GraphQL, by the published operations."""

from __future__ import annotations

import pytest

from app import database
from app.access.actor import Scope
from app.clock import DAY, MINUTE, rfc3339
from app.keys.key import ApiKey
from tests.alerts.history import HOME, STRANGE, evaluated, use, used, worked
from tests.alerts.test_evaluation import NOW
from tests.api.conftest import program
from tests.conftest import Team, make_key
from tests.support.graphql import Client


@pytest.fixture
async def worker(team: Team) -> ApiKey:
    """A key with four weeks of use and an open alert."""
    database.freeze(NOW - 30 * DAY)
    key = (await make_key(team, permissions=("pdf.read", "pdf.delete"))).key
    database.freeze(NOW)
    await worked(key.id, NOW)
    await evaluated()
    database.freeze(NOW + MINUTE)
    await used([use(key.id, NOW + MINUTE, network=STRANGE, user_agent="curl", requests=3)])
    assert await evaluated() == 1
    return key


async def test_alerts_are_listed_with_evidence_and_what_is_usual(viewer: Client, team: Team, worker: ApiKey) -> None:
    listed = (await viewer.run("alerts/list"))["alerts"]
    (alert,) = listed["nodes"]
    assert listed["totalCount"] == 1 and alert["kind"] == "UNEXPECTED_NETWORK" and alert["count"] == 3
    assert alert["evidence"]["networks"] == [STRANGE] and alert["baseline"]["networks"] == [HOME]
    assert STRANGE in alert["summary"] and alert["apiKey"]["id"] == worker.id and alert["about"] is None
    for filter, count in (({"kind": ["EXPIRY"]}, 0), ({"apiKey": worker.id, "state": ["OPEN"]}, 1), ({"state": ["RESOLVED"]}, 0)):
        found = await viewer.run("alerts/list", filter=filter)
        assert found["alerts"]["totalCount"] == count


async def test_an_alert_is_resolved_once_and_teaches(editor: Client, team: Team, worker: ApiKey) -> None:
    (alert,) = (await editor.run("alerts/list"))["alerts"]["nodes"]
    resolved = await editor.change("alerts/resolve", id=alert["id"], resolution="EXPECTED", always=True)
    assert resolved["alert"]["state"] == "RESOLVED" and resolved["alert"]["resolvedBy"]["name"] == team.editor.name
    assert (await editor.change("alerts/resolve", id=alert["id"], resolution="HANDLED"))["alert"]["resolution"] == "EXPECTED"
    shown = await editor.run("alerts/show", id=alert["id"])
    assert shown["apiKey"]["expectedUse"] == [{"kind": "UNEXPECTED_NETWORK", "values": ["*"]}]
    assert [each["id"] for each in shown["apiKey"]["alerts"]["nodes"]] == [alert["id"]]
    forgotten = await editor.change("alerts/set-expected-use", apiKey=worker.id, kind="UNEXPECTED_NETWORK", expected=False)
    assert forgotten["apiKey"]["expectedUse"] == []


async def test_an_owner_previews_a_rule_and_lets_it_suspend(owner: Client, viewer: Client, worker: ApiKey) -> None:
    shown = (await viewer.run("alerts/automatic-suspension", kind="UNEXPECTED_NETWORK", maxPerDay=1))["automaticSuspension"]
    assert (shown["kinds"], shown["maxPerDay"], shown["suspendedLastDay"]) == ([], 3, 0)
    preview = shown["preview"]
    assert (preview["maxPerDay"], preview["suspended"], preview["overLimit"]) == (1, 1, 0)
    (previewed,) = preview["alerts"]
    assert previewed["outcome"] == "SUSPENDED" and previewed["alert"]["apiKey"]["id"] == worker.id
    given = {"kinds": ["FAILURE_SPIKE"], "expectedRevision": shown["revision"]}
    changed = (await owner.change("alerts/update-automatic-suspension", **given))["automaticSuspension"]
    assert (changed["kinds"], changed["maxPerDay"]) == (["FAILURE_SPIKE"], 3) and changed["revision"] != shown["revision"]
    conflict = await owner.change("alerts/update-automatic-suspension", **given | {"kinds": []})
    assert conflict["code"] == "CONFLICT"
    for wrong in ({"kinds": ["EXPIRY"]}, {"maxPerDay": 0}, {"kinds": None}):
        assert (await owner.change("alerts/update-automatic-suspension", **wrong))["code"] == "VALIDATION_FAILED"
    database.freeze(NOW + 2 * MINUTE)
    await used([use(worker.id, NOW + 2 * MINUTE, outcome="IP_NOT_ALLOWED", requests=300)])
    assert await evaluated() == 1
    (alert,) = (await viewer.run("alerts/list", filter={"kind": ["FAILURE_SPIKE"]}))["alerts"]["nodes"]
    assert alert["suspendedAt"] == rfc3339(NOW + 2 * MINUTE) and alert["suspensionWithheld"] is None
    assert alert["apiKey"]["status"] == "SUSPENDED"


async def test_only_owners_and_programs_with_their_scope_let_rules_suspend(
    viewer: Client, editor: Client, stranger: Client, team: Team
) -> None:
    reader = await program(team.owner, team.slug, "keys.write", "workspace.read")
    writer = await program(team.owner, team.slug, "workspace.write")
    for client, code in ((viewer, "NOT_ALLOWED"), (editor, "NOT_ALLOWED"), (stranger, "NOT_FOUND"), (reader, "NOT_ALLOWED")):
        given = {"workspace": team.slug, "kinds": ["DORMANT_KEY"]}
        assert (await client.change("alerts/update-automatic-suspension", **given))["code"] == code
    assert "code" not in await writer.change("alerts/update-automatic-suspension", maxPerDay=7)


async def test_each_member_chooses_which_alerts_they_get_by_mail(viewer: Client, editor: Client, team: Team) -> None:
    shown = (await viewer.run("alerts/mail"))["alertMail"]
    assert {each["delivery"] for each in shown["choices"]} == {"NEVER"} and shown["dailyHour"] == 8
    given = {"choices": [{"kind": "LEAKED", "delivery": "DAILY"}], "dailyHour": 17, "expectedRevision": shown["revision"]}
    changed = (await viewer.change("alerts/update-mail", **given))["alertMail"]
    assert [each["kind"] for each in changed["choices"] if each["delivery"] == "DAILY"] == ["LEAKED"]
    assert changed["dailyHour"] == 17 and (await viewer.run("alerts/mail"))["alertMail"] == changed
    assert (await viewer.change("alerts/update-mail", **given | {"dailyHour": 18}))["code"] == "CONFLICT"
    assert {each["delivery"] for each in (await editor.run("alerts/mail"))["alertMail"]["choices"]} == {"AT_ONCE"}
    twice = [{"kind": "LEAKED", "delivery": "DAILY"}, {"kind": "LEAKED", "delivery": "NEVER"}]
    for wrong in ({"choices": twice}, {"choices": None}, {"dailyHour": 24}, {"dailyHour": None}):
        assert (await viewer.change("alerts/update-mail", **wrong))["code"] == "VALIDATION_FAILED"


async def test_what_a_person_gets_by_mail_is_not_a_programs_to_read_or_choose(stranger: Client, team: Team) -> None:
    every = await program(team.owner, team.slug, *Scope)
    for text in ("mutation{updateAlertMail(input:{dailyHour:3}){__typename}}", "{workspace{alertMail{dailyHour}}}"):
        content = (await every.send(text, {})).json()
        assert "NotAllowed" in str(content) or content["errors"][0]["extensions"]["code"] == "NOT_ALLOWED"
    assert await database.fetch("SELECT * FROM alert_mail") == []
    assert (await stranger.change("alerts/update-mail", workspace=team.slug, dailyHour=3))["code"] == "NOT_FOUND"


async def test_only_those_who_may_change_keys_resolve(
    viewer: Client, editor: Client, stranger: Client, team: Team, worker: ApiKey
) -> None:
    (alert,) = (await viewer.run("alerts/list"))["alerts"]["nodes"]
    reader = await program(team.owner, team.slug, "keys.read")
    for client, code in ((viewer, "NOT_ALLOWED"), (reader, "NOT_ALLOWED"), (stranger, "NOT_FOUND")):
        assert (await client.change("alerts/resolve", id=alert["id"], resolution="HANDLED"))["code"] == code
    assert await stranger.run("alerts/show", id=alert["id"]) is None
    assert (await reader.run("alerts/show", id=alert["id"]))["id"] == alert["id"]
    assert (await editor.change("alerts/resolve", id=alert["id"], resolution="OVER"))["code"] == "VALIDATION_FAILED"
