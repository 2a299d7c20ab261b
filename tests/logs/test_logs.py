"""Logs: every line is one JSON object, and no line contains a secret."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator

import pytest

from app import logs
from app.keys.secret import generate


@pytest.fixture
def set_up() -> Iterator[Callable[[], logging.Logger]]:
    """Must be called in the test itself, because stderr is replaced while fixtures are created."""
    root, raises = logging.getLogger(), logging.raiseExceptions
    handlers, level = root.handlers[:], root.level

    def log() -> logging.Logger:
        logs.set_up("DEBUG")
        return logging.getLogger("keydesk.test")

    yield log
    root.handlers[:], root.level, logging.raiseExceptions = handlers, level, raises


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_every_line_is_one_object_whatever_the_text_contains(
    set_up: Callable[[], logging.Logger], capsys: pytest.CaptureFixture[str]
) -> None:
    set_up().info("name: %s", "x\r\n2026-11-23 level=INFO fake\x1b[31m")
    (line,) = lines(capsys)
    assert line["event"] == "name: x\r\n2026-11-23 level=INFO fake\x1b[31m"
    assert (line["level"], line["logger"]) == ("info", "keydesk.test") and line["at"].endswith("Z")


@pytest.mark.parametrize("kind", ["live", "test", "mgmt", "gate"])
def test_keys_of_every_class_are_redacted(
    set_up: Callable[[], logging.Logger], capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    secret = generate("fl", kind)
    logger = set_up()
    logger.debug("asked with %s", {"key": secret})
    logger.warning("%r", secret.encode())
    assert [secret[10:] in json.dumps(line) for line in lines(capsys)] == [False, False]


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer {}",
        "{{'authorization': 'bearer {}'}}",
        "Cookie: keydesk-session={}",
        "set-cookie: __Host-keydesk-session={}; Path=/",
        "GET /set-up/{}",
        "http://127.0.0.1/invitations/{}?x=1",
        "/password-reset/{}",
        "/email-change/{}",
        "postgresql://keydesk:{}@db/keydesk",
        "smtp://me:{}@mail.example.com",
    ],
)
def test_secrets_of_sessions_links_and_connections_are_redacted(text: str) -> None:
    secret = "8kW2vQx7LmZr4TnBpYdHfJgS"
    assert secret not in logs.redacted(text.format(secret))


def test_a_traceback_is_redacted_too(set_up: Callable[[], logging.Logger], capsys: pytest.CaptureFixture[str]) -> None:
    logger, secret = set_up(), generate("fl", "live")
    try:
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        logger.exception("failed")
    (line,) = lines(capsys)
    assert "ValueError: cannot use [secret]" in line["exception"] and secret not in json.dumps(line)
    assert sys.exc_info() == (None, None, None)


def test_a_line_that_cannot_be_written_does_not_print_its_arguments_instead(
    set_up: Callable[[], logging.Logger], capsys: pytest.CaptureFixture[str]
) -> None:
    secret = generate("fl", "live")
    set_up().info("%d", secret)
    assert secret not in capsys.readouterr().err
