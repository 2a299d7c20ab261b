"""Partial results: a refusal makes only the refused field null."""

from __future__ import annotations

import pytest

from tests.conftest import Team, make_key
from tests.support.graphql import Client

BAD_SPAN = 'usage(since: "2026-01-02T00:00:00Z", until: "2026-01-01T00:00:00Z") { totalRequests }'


async def test_a_field_that_is_not_allowed_does_not_affect_the_other_fields(editor: Client, team: Team) -> None:
    key = (await make_key(team)).key
    answer = await editor.send("{ workspace { slug managementKeys { nodes { id } } apiKeys { nodes { id } } } }")
    content = answer.json()
    assert content["data"] == {"workspace": {"slug": team.slug, "managementKeys": None, "apiKeys": {"nodes": [{"id": key.id}]}}}
    assert [(error["path"], error["extensions"]["code"]) for error in content["errors"]] == [
        (["workspace", "managementKeys"], "NOT_ALLOWED")
    ]


@pytest.mark.parametrize(
    "field",
    [
        BAD_SPAN,
        *(
            f"{name}({wrong}) {{ totalCount }}"
            for name in ("apiKeys", "rotations", "members", "invitations", "managementKeys", "auditEvents")
            for wrong in ("first: 0", "last: 101", "first: 1, last: 1", 'after: "elsewhere"')
        ),
    ],
)
async def test_an_invalid_argument_does_not_affect_the_rest_of_the_workspace(owner: Client, team: Team, field: str) -> None:
    content = (await owner.send(f"{{ workspace {{ slug refused: {field} }} }}")).json()
    assert content["data"] == {"workspace": {"slug": team.slug, "refused": None}}
    assert [error["path"] for error in content["errors"]] == [["workspace", "refused"]]


@pytest.mark.parametrize("field", [BAD_SPAN, "callers(first: 0) { totalCount }", "unusedPermissions(days: 0) { name }"])
async def test_an_invalid_argument_does_not_affect_the_rest_of_every_key(owner: Client, team: Team, field: str) -> None:
    made = [(await make_key(team)).key.id for _ in range(2)]
    content = (await owner.send(f"{{ workspace {{ apiKeys {{ nodes {{ id refused: {field} }} }} }} }}")).json()
    assert content["data"]["workspace"]["apiKeys"]["nodes"] == [{"id": key, "refused": None} for key in reversed(made)]
    assert [error["path"][-1] for error in content["errors"]] == ["refused", "refused"]
