"""Gateway tokens and management keys: shown once, revoked immediately, while a node runs."""

from __future__ import annotations

import re

import httpx
import pytest

from app import catalogue, database
from app.audit import store as audit_store
from app.keys.secret import KeyClass, class_of
from app.tenancy.service import SYSTEM_CHAIN
from tests.cli.conftest import Keydesk
from tests.conftest import Team, make_key
from tests.support.server import Server

CREATE = {
    "gateway-token": ("gateway-token", "create", "edge"),
    "management-key": ("management-key", "create", "--workspace", "acme", "--scopes", "keys.read,keys.write", "--expires", "30d"),
    "operator-key": ("operator-key", "create", "billing", "--scopes", "workspaces.write", "--expires", "30d"),
}
CLASSES = {"gateway-token": KeyClass.GATEWAY, "management-key": KeyClass.MANAGEMENT, "operator-key": KeyClass.MANAGEMENT}


@pytest.mark.parametrize("kind", CREATE)
def test_a_new_secret_is_the_only_line_on_stdout_and_nowhere_else(kind: str, keydesk: Keydesk, team: Team) -> None:
    done = keydesk.under(KEYDESK_LOG_LEVEL="DEBUG").run(*CREATE[kind])
    secret = done.stdout.removesuffix("\n")
    assert class_of(secret, catalogue.current().prefixes) is CLASSES[kind]
    assert secret not in done.stderr
    assert re.search(r"(gtk|mgk|opk)_[a-z2-7]{20}, called .+ shown this once:$", done.stderr.strip())
    listed = (kind, "list", "--workspace", "acme") if kind == "management-key" else (kind, "list")
    assert secret not in keydesk(*listed) + keydesk(*listed, "--json")


async def test_a_token_is_accepted_by_a_running_node_until_it_is_revoked(keydesk: Keydesk, team: Team, node: Server) -> None:
    key = await make_key(team)
    made = keydesk.json("gateway-token", "create", "edge", "--workspace", "acme", "--environment", "production")
    assert made == {
        "id": made["id"], "kind": "GATEWAY_TOKEN", "workspace": "acme", "name": "edge", "prefix": made["secret"][:12],
        "environment": "production", "status": "ACTIVE", "createdAt": made["createdAt"], "revokedAt": None,
        "secret": made["secret"],
    }  # fmt: skip

    def ask() -> httpx.Response:
        bearer = {"authorization": f"Bearer {made['secret']}"}
        return httpx.post(f"{node.url}/v1/verify", json={"key": key.secret}, headers=bearer)

    assert ask().json()["code"] == "VALID"
    revoked = keydesk.json("gateway-token", "revoke", "edge")
    assert (revoked["id"], revoked["status"]) == (made["id"], "REVOKED")
    assert ask().status_code == 401
    assert [token["status"] for token in keydesk.json("gateway-token", "list")] == ["REVOKED"]


def test_a_management_key_is_accepted_by_graphql_until_it_is_revoked(keydesk: Keydesk, team: Team, node: Server) -> None:
    allowed = ("--allow-ip", "127.0.0.0/8", "--allow-ip", "::1")
    made = keydesk.json(*CREATE["management-key"], "--name", "Terraform", *allowed)
    assert made | {"secret": "", "createdAt": "", "expiresAt": ""} == {
        "id": made["id"], "kind": "MANAGEMENT_KEY", "workspace": "acme", "name": "Terraform", "prefix": made["secret"][:12],
        "scopes": ["keys.read", "keys.write"], "allowedIps": ["127.0.0.0/8", "::1/128"], "madeBy": "operator", "status": "ACTIVE",
        "createdAt": "", "expiresAt": "", "lastUsedAt": None, "revokedAt": None, "secret": "",
    }  # fmt: skip

    def ask(secret: str = made["secret"]) -> httpx.Response:
        bearer = {"authorization": f"Bearer {secret}"}
        return httpx.post(f"{node.url}/graphql", json={"query": "{ viewer { kind scopes } }"}, headers=bearer)

    assert ask().json()["data"]["viewer"]["kind"] == "MANAGEMENT_KEY"
    assert ask(keydesk(*CREATE["management-key"], "--allow-ip", "203.0.113.9").strip()).status_code == 401
    keydesk("management-key", "revoke", made["id"])
    assert ask().status_code == 401
    unused, listed = keydesk.json("management-key", "list", "--workspace", "acme")
    assert (unused["allowedIps"], unused["lastUsedAt"]) == (["203.0.113.9/32"], None)
    assert "203.0.113.9/32" in keydesk("management-key", "list", "--workspace", "acme")
    assert (listed["id"], listed["status"]) == (made["id"], "REVOKED")
    assert listed["lastUsedAt"] is not None


def test_an_operator_key_is_accepted_by_graphql_until_it_is_revoked(keydesk: Keydesk, team: Team, node: Server) -> None:
    made = keydesk.json(*CREATE["operator-key"], "--allow-ip", "127.0.0.0/8", "--allow-ip", "::1")
    assert made | {"secret": "", "createdAt": "", "expiresAt": ""} == {
        "id": made["id"], "kind": "OPERATOR_KEY", "name": "billing", "prefix": made["secret"][:12], "scopes": ["workspaces.write"],
        "allowedIps": ["127.0.0.0/8", "::1/128"], "status": "ACTIVE", "createdAt": "", "expiresAt": "", "lastUsedAt": None,
        "revokedAt": None, "secret": "",
    }  # fmt: skip

    def ask() -> httpx.Response:
        bearer = {"authorization": f"Bearer {made['secret']}"}
        return httpx.post(f"{node.url}/graphql", json={"query": "{ workspaces { nodes { slug } } }"}, headers=bearer)

    assert ask().json()["data"] == {"workspaces": {"nodes": [{"slug": "acme"}]}}
    assert made["id"] in keydesk("find", stdin=made["secret"])
    keydesk("operator-key", "revoke", made["id"])
    assert ask().status_code == 401
    assert "There is no such operator key." in keydesk.refused("operator-key", "revoke", "opk_aaaaaaaaaaaaaaaaaaaa")


def test_workspaces_are_listed_with_filters(keydesk: Keydesk, team: Team, other_team: Team) -> None:
    keydesk("suspend-workspace", other_team.slug)
    assert {each["slug"] for each in keydesk.json("workspaces")} == {team.slug, other_team.slug}
    assert [each["slug"] for each in keydesk.json("workspaces", "--suspended")] == [other_team.slug]
    assert [each["slug"] for each in keydesk.json("workspaces", "--not-suspended")] == [team.slug]
    assert [each["slug"] for each in keydesk.json("workspaces", "--search", team.workspace.id)] == [team.slug]
    assert keydesk.json("workspaces", "--plan", "none") == []
    assert team.slug in keydesk("workspaces")


def test_a_customer_is_provided_transferred_and_deleted(keydesk: Keydesk, team: Team) -> None:
    slug, link = keydesk("provision-workspace", "Beta", "--owner-email", "ann@example.org", "--plan", "growth").splitlines()
    assert slug == "beta" and "/invitations/" in link
    moved = keydesk.json("transfer-workspace", "beta", "--owner-email", "owner@acme.example")
    assert (moved["slug"], moved["plan"], moved["invitationLink"]) == ("beta", "growth", None)
    assert "Type beta to delete this workspace." in keydesk.refused("delete-workspace", moved["id"], "acme")
    assert keydesk.json("delete-workspace", moved["id"], "beta")["deletedAt"] is not None
    assert [each["slug"] for each in keydesk.json("workspaces")] == ["acme"]
    assert [each["id"] for each in keydesk.json("workspaces", "--deleted")] == [moved["id"]]
    assert keydesk.refused("set-plan", moved["id"], "free") == "There is no such workspace."


def test_wrong_input_is_reported_and_creates_nothing(keydesk: Keydesk, team: Team) -> None:
    create = ("management-key", "create", "--workspace", "acme", "--scopes")
    assert "There is no scope 'keys.wirte'" in keydesk.refused(*create, "keys.wirte", "--expires", "30d")
    assert keydesk.refused(*create, "keys.read", "--expires", "400d") == "A management key lives 365 days at most."
    networks = keydesk.refused(*create, "keys.read", "--expires", "30d", "--allow-ip", "moon")
    assert networks == "'moon' is not an address or network, like 203.0.113.9 or 2001:db8::/48."
    assert "'soon' is not a number of days or hours" in keydesk.refused(*create, "keys.read", "--expires", "soon", code=2)
    assert keydesk.refused("management-key", "list", "--workspace", "none") == "There is no such workspace."
    assert keydesk.refused("management-key", "revoke", "mgk_aaaaaaaaaaaaaaaaaaaa") == "There is no such management key."
    assert keydesk.refused("gateway-token", "create", "edge", "--workspace", "none") == "There is no workspace 'none'."
    assert keydesk.refused("gateway-token", "create", "edge", "--environment", "moon") == "There is no environment 'moon'."
    assert keydesk.refused("gateway-token", "revoke", "edge") == "There is no such gateway token."
    assert keydesk.json("management-key", "list", "--workspace", "acme") == keydesk.json("gateway-token", "list") == []
    assert keydesk("gateway-token", "list") == ""


async def test_every_change_is_the_operators_in_the_audit_log(keydesk: Keydesk, team: Team) -> None:
    token = keydesk.json(*CREATE["gateway-token"])["id"]
    key = keydesk.json(*CREATE["management-key"])["id"]
    keydesk("set-plan", "acme", "growth")
    system = await audit_store.newest(SYSTEM_CHAIN, limit=10)
    ours = await audit_store.newest(team.workspace.id, limit=10)
    assert [(entry.action, entry.target) for entry in system] == [("gateway_token.created", token)]
    assert [(entry.action, entry.target) for entry in ours] == [
        ("plan.changed", team.workspace.id), ("management_key.created", key),
    ]  # fmt: skip
    assert {entry.actor.kind for entry in (*system, *ours)} == {"OPERATOR"}
    assert await database.fetch("SELECT id FROM management_key WHERE maker = 'operator'") == [{"id": key}]
