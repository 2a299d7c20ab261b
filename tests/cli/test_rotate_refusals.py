"""Refusals of `keydesk rotate`: each in one line, before anything is started."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from app import database
from app.access.actor import Actor, Scope
from app.cli.deploy_command import StreamRedactor
from app.clock import DAY
from app.keys import service as keys
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.rotations import service as rotations
from tests.cli.conftest import Keydesk
from tests.conftest import Team, make_key
from tests.support.access import seen
from tests.support.server import Server, free_port

DEPLOY = ("--deploy", "cat > /dev/null", "--poll", "1s")
NO_SUCH_KEY = "key_" + "a" * 20


async def management_key(team: Team, *scopes: Scope) -> str:
    return (
        await management_keys.create(Actor.operator(), team.slug, ManagementKeyInput("CI", scopes, await database.now() + DAY))
    )[1]


@pytest.fixture
async def cli(node: Server, team: Team) -> Keydesk:
    return Keydesk({"KEYDESK_SERVER": node.url, "KEYDESK_MANAGEMENT_KEY": await management_key(team, Scope.KEYS_WRITE)})


async def test_a_key_that_cannot_be_rotated_is_refused_with_the_reason(cli: Keydesk, team: Team) -> None:
    assert cli.refused("rotate", NO_SUCH_KEY, *DEPLOY) == "There is no such API key."
    assert cli.refused("rotate", "Nobody's", *DEPLOY) == 'There is no living API key called "Nobody\'s".'
    one, other = (await make_key(team)).key.id, (await make_key(team)).key.id
    said = cli.refused("rotate", "Production server", *DEPLOY)
    assert said.startswith("2 API keys are called 'Production server'. Name one by its id: ")
    assert one in said and other in said
    await keys.suspend(team.owner, one)
    assert "only an active key can be rotated" in cli.refused("rotate", one, *DEPLOY)
    await rotations.start(team.owner, other)
    assert "already being rotated" in cli.refused("rotate", other, *DEPLOY)
    third = (await make_key(team, "Third")).key.id
    assert "30 days at most" in cli.refused("rotate", third, *DEPLOY, "--deadline", "31d")
    assert "7 days" in cli.refused("rotate", "Third", *DEPLOY, "--quiet", "8d")
    assert await rotations.count(await seen(team.owner, team.slug)) == 1


async def test_an_invalid_or_insufficient_management_key_is_named_as_the_reason(cli: Keydesk, team: Team, other_team: Team) -> None:
    key = (await make_key(team)).key.id
    reader = cli.under(KEYDESK_MANAGEMENT_KEY=await management_key(team, Scope.KEYS_READ))
    assert reader.refused("rotate", key, *DEPLOY).endswith("This needs a management key with the scope keys.write.")
    stranger = cli.under(KEYDESK_MANAGEMENT_KEY="fl_mgmt_" + "a" * 38)
    said = stranger.refused("rotate", key, *DEPLOY)
    assert said.endswith("does not accept the key in KEYDESK_MANAGEMENT_KEY: it is unknown, expired or revoked.")
    foreign = cli.under(KEYDESK_MANAGEMENT_KEY=await management_key(other_team, Scope.KEYS_WRITE))
    assert foreign.refused("rotate", key, *DEPLOY) == "There is no such API key."
    assert cli.refused("rotate", key, *DEPLOY, "--workspace", "rival") == "There is no workspace 'rival' for this management key."
    assert await rotations.count(await seen(team.owner, team.slug)) == 0


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KEYDESK_SERVER": ""}, "Set KEYDESK_SERVER to where Keydesk is"),
        ({"KEYDESK_MANAGEMENT_KEY": ""}, "Set KEYDESK_SERVER to where Keydesk is"),
        ({"KEYDESK_SERVER": "keys.example.com"}, "KEYDESK_SERVER is scheme, host and port"),
        ({"KEYDESK_SERVER": "file:///etc/passwd"}, "KEYDESK_SERVER is scheme, host and port"),
        ({"KEYDESK_SERVER": "https://user:word@keys.example.com"}, "KEYDESK_SERVER is scheme, host and port"),
        ({"KEYDESK_MANAGEMENT_KEY": "two\nlines"}, "KEYDESK_MANAGEMENT_KEY holds no management key."),
    ],
)
def test_wrong_variables_are_named_and_not_repeated(variables: dict[str, str], words: str) -> None:
    cli = Keydesk({"KEYDESK_SERVER": "http://127.0.0.1:1", "KEYDESK_MANAGEMENT_KEY": "fl_mgmt_x"} | variables)
    said = cli.refused("rotate", NO_SUCH_KEY, *DEPLOY)
    assert said.startswith(words) and "word@" not in said


@pytest.mark.parametrize("options", [("--poll", "0s"), ("--quiet", "5"), ("--wait", "1y"), ("--on-deadline", "explode")])
def test_wrong_usage_is_exit_code_two(options: tuple[str, ...]) -> None:
    cli = Keydesk({"KEYDESK_SERVER": "http://127.0.0.1:1", "KEYDESK_MANAGEMENT_KEY": "fl_mgmt_x"})
    cli.refused("rotate", NO_SUCH_KEY, "--deploy", "true", *options, code=2)


def test_a_key_is_never_named_by_its_secret() -> None:
    secret = "fl_live_" + "a" * 38
    said = Keydesk({}).run("rotate", secret, "--deploy", "true")
    assert said.returncode == 2 and "replace it" in said.stderr
    assert secret not in said.stderr + said.stdout


class Stub:
    """A server in Keydesk's place that gives one answer to every request; `asked` records the requests."""

    def __init__(self, answer: bytes) -> None:
        self.asked = b""
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.asked += connection.recv(65_536)
                connection.sendall(self._answer)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def elsewhere_asked() -> Iterator[Stub]:
    stub = Stub(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
    yield stub
    stub.close()


def test_no_redirect_is_followed(elsewhere_asked: Stub) -> None:
    """A redirect would forward the management key."""
    stub = Stub(b"HTTP/1.1 302 Found\r\nlocation: %s/\r\ncontent-length: 0\r\n\r\n" % elsewhere_asked.url.encode())
    cli = Keydesk({"KEYDESK_SERVER": stub.url, "KEYDESK_MANAGEMENT_KEY": "fl_mgmt_x"})
    assert cli.refused("rotate", NO_SUCH_KEY, *DEPLOY) == f"{stub.url} answers 302."
    assert b"fl_mgmt_x" in stub.asked and elsewhere_asked.asked == b""
    stub.close()


def test_a_server_that_is_not_keydesk_is_named_as_the_reason(elsewhere_asked: Stub) -> None:
    cli = Keydesk({"KEYDESK_SERVER": elsewhere_asked.url, "KEYDESK_MANAGEMENT_KEY": "fl_mgmt_x"})
    assert cli.refused("rotate", NO_SUCH_KEY, *DEPLOY) == f"What answers at {elsewhere_asked.url} is no Keydesk."


@pytest.mark.parametrize("size", range(1, 12))
def test_a_secret_is_redacted_wherever_its_output_is_split(size: int) -> None:
    redactor, text = StreamRedactor(b"abcabd"), b"xabcabcabdy abcab\nabcabdabcabd abc"
    said = b"".join(redactor.let_through(text[start : start + size]) for start in range(0, len(text), size)) + redactor.rest()
    assert said == b"xabc[secret]y abcab\n[secret][secret] abc"


def test_output_that_cannot_become_the_secret_is_passed_through_immediately() -> None:
    redactor = StreamRedactor(b"secret")
    assert [redactor.let_through(part) for part in (b"progress 10%", b" se", b"cond", b" secre")] == [
        b"progress 10%",
        b" ",
        b"second",
        b" ",
    ]
    assert redactor.rest() == b"secre"
