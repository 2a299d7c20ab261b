"""`create-owner` and `password-reset`: how people get access, and regain it."""

from __future__ import annotations

import httpx

from app.access.actor import Actor, Request
from app.authentication import service as authentication
from app.tenancy import service as tenancy
from app.tenancy import store as workspace_store
from app.users import store as user_store
from tests.cli.conftest import Keydesk
from tests.support.server import Server
from tests.support.users import sign_in

PASSWORD = "orange lantern under seven bridges"
ANN = ("--email", "ann@example.org", "--name", "Ann Bee")


async def test_the_first_owner_can_sign_in_with_the_password_from_stdin(keydesk: Keydesk) -> None:
    assert keydesk("create-owner", *ANN, "--workspace", "Acme, Inc.", stdin=f"{PASSWORD}\n") == "acme-inc\n"
    user = (await sign_in(password=PASSWORD)).session.user
    assert (user.name, user.email) == ("Ann Bee", "ann@example.org")
    (access,) = await tenancy.mine(Actor.user(user.id, "Ann Bee"))
    assert (access.workspace.slug, access.workspace.name, access.workspace.plan, access.role) == (
        "acme-inc", "Acme, Inc.", "free", "owner",
    )  # fmt: skip


async def test_an_existing_user_gets_another_workspace_without_a_prompt_and_keeps_name_and_password(keydesk: Keydesk) -> None:
    keydesk("create-owner", *ANN, "--workspace", "Acme", stdin=PASSWORD)
    again = keydesk.json("create-owner", "--email", "ANN@example.org", "--name", "Someone Else", "--workspace", "Acme")
    assert again == {"id": again["id"], "slug": "acme-2", "name": "Acme", "plan": "free", "owner": again["owner"]}
    user = (await sign_in(password=PASSWORD)).session.user
    assert (user.id, user.name) == (again["owner"], "Ann Bee")


async def test_a_refused_password_creates_nothing(keydesk: Keydesk) -> None:
    assert keydesk.refused("create-owner", *ANN, "--workspace", "Acme", stdin="short") == (
        "Use 15 characters or more; a few unrelated words are easy to remember."
    )
    assert await user_store.find_by_email("ann@example.org") is None
    assert await workspace_store.find_by_slug("acme") is None


def test_without_a_password_on_stdin_it_is_wrong_usage(keydesk: Keydesk) -> None:
    said = keydesk.refused("create-owner", *ANN, "--workspace", "Acme", code=2)
    assert said == "Password: expected as one line on stdin."


def test_it_creates_the_database(elsewhere: Keydesk) -> None:
    assert elsewhere("create-owner", *ANN, "--workspace", "Acme", stdin=PASSWORD) == "acme\n"
    assert elsewhere("set-plan", "acme", "growth") == "acme is on the plan growth.\n"


async def test_the_printed_link_works_on_a_running_node_and_takes_effect(keydesk: Keydesk, node: Server) -> None:
    keydesk("create-owner", *ANN, "--workspace", "Acme", stdin=PASSWORD)
    here = keydesk.under(KEYDESK_PORT=str(node.port))
    link = here("password-reset", "--email", "Ann@Example.org").removesuffix("\n")
    assert link.startswith(f"{node.url}/password-reset/") and "\n" not in link
    assert httpx.get(link).status_code == 200
    await authentication.reset_password(Request(), link.rpartition("/")[2], "violet engine beyond nine rivers")
    assert httpx.get(link).status_code != 200
    assert (await sign_in(password="violet engine beyond nine rivers")).session.user.name == "Ann Bee"


def test_a_link_for_an_unknown_address_is_refused(keydesk: Keydesk) -> None:
    assert keydesk.refused("password-reset", "--email", "nobody@example.org") == "There is no such account."


def test_a_name_that_ends_with_a_full_stop_is_printed_as_it_is(keydesk: Keydesk) -> None:
    done = keydesk.run("create-owner", *ANN, "--workspace", "Acme, Inc.", stdin=PASSWORD)
    assert done.stdout == "acme-inc\n"
    assert done.stderr.splitlines()[-2:] == ["Ann Bee owns this workspace: Acme, Inc.", "Its slug:"]
