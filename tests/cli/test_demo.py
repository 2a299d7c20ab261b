"""`keydesk demo`, while a node runs."""

from __future__ import annotations

import re

from tests.cli.conftest import Keydesk
from tests.conftest import GATEWAY_TOKEN
from tests.support.server import Server
from tests.support.users import sign_in


async def test_it_prints_how_to_sign_in_and_the_password_alone_on_stdout(keydesk: Keydesk, node: Server) -> None:
    here = keydesk.under(KEYDESK_PORT=str(node.port))
    done = here.run("demo")
    assert done.returncode == 0, done.stderr
    password = done.stdout.removesuffix("\n")
    assert re.fullmatch(r"[\w-]{24}", password)
    assert done.stderr.splitlines() == [
        f"The workspace Acme is at {node.url}/w/acme",
        "Sign in as ada@example.com with this password, shown this once:",
    ]
    assert (await sign_in("ada@example.com", password)).session.user.name == "Ada Lovelace"
    again = here.json("demo")
    assert re.fullmatch(rf"{re.escape(node.url)}/password-reset/[\w-]{{43}}", again.pop("link"))
    assert again == {"workspace": "acme", "url": f"{node.url}/w/acme", "email": "ada@example.com", "password": None}


def test_it_creates_the_database(elsewhere: Keydesk) -> None:
    elsewhere("demo")
    findings = elsewhere.under(KEYDESK_GATEWAY_TOKENS=GATEWAY_TOKEN).json("doctor")
    assert [finding["what"] for finding in findings if finding["level"] != "ok"] == ["cookies"]
