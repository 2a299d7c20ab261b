"""A command that cannot work is refused in one line, without a traceback, and creates nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Keydesk
from tests.conftest import KIND
from tests.support.server import free_port

COMMANDS = {
    "doctor": (),
    "password-reset": ("--email", "ann@example.org"),
    "set-plan": ("acme", "growth"),
    "suspend-workspace": ("acme",),
    "resume-workspace": ("acme",),
    "gateway-token create": ("edge",),
    "gateway-token list": (),
    "gateway-token revoke": ("edge",),
    "management-key create": ("--workspace", "acme", "--scopes", "keys.read", "--expires", "1d"),
    "management-key list": ("--workspace", "acme"),
    "management-key revoke": ("mgk_aaaaaaaaaaaaaaaaaaaa",),
    "find": (),
    "revoke": ("--reason", "OTHER"),
    "audit verify": (),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_database_it_is_refused_and_none_is_created(name: str, nowhere: Keydesk) -> None:
    said = nowhere.refused(*name.split(), *COMMANDS[name], stdin="x")
    if KIND == "sqlite":
        path = Path(nowhere.environment["KEYDESK_DATABASE_URL"].removeprefix("sqlite:///"))
        assert said == f"There is no database at {path}. `keydesk serve` or `keydesk migrate` makes one."
        assert not path.parent.exists()
    else:
        assert said.startswith("The database cannot be asked: InvalidCatalogNameError(")


def test_only_migrate_initializes_an_empty_database(elsewhere: Keydesk) -> None:
    elsewhere.refused("doctor")
    first = elsewhere.json("migrate")
    assert first == elsewhere.json("migrate") == {"migrations": sorted(first["migrations"])}
    elsewhere("audit", "verify")


@pytest.mark.parametrize("command", [("serve",), ("audit", "verify"), ("migrate",)])
def test_a_wrong_pepper_is_named_as_the_reason(command: tuple[str, ...], keydesk: Keydesk) -> None:
    said = keydesk.under(KEYDESK_PEPPER="another pepper than the one of the database").refused(*command)
    assert said.startswith("Wrong pepper: this database was made with another one.")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"KEYDESK_PROT": "8000"}, "KEYDESK_PROT is not a setting of Keydesk"),
        ({"KEYDESK_PORT": "many"}, "KEYDESK_PORT: a port is a number from 0 to 65535."),
        ({"KEYDESK_HOST": "0.0.0.0"}, "KEYDESK_DEV sends cookies over plain http"),
        ({"KEYDESK_CATALOGUE": "/nowhere.toml"}, "The catalogue /nowhere.toml cannot be read"),
        ({"KEYDESK_PEPPER": "short"}, "The pepper in KEYDESK_PEPPER is shorter than 32 bytes."),
        ({"KEYDESK_HOST": "host.invalid", "KEYDESK_DEV": ""}, "Keydesk cannot listen on host.invalid port"),
    ],
)
def test_serve_refuses_wrong_settings(variables: dict[str, str], words: str, keydesk: Keydesk) -> None:
    assert keydesk.under(**variables).refused("serve").startswith(words)


def test_an_unreachable_server_is_distinguished_from_a_wrong_password(keydesk: Keydesk) -> None:
    away = keydesk.under(KEYDESK_DATABASE_URL=f"postgresql://keydesk:a-password@127.0.0.1:{free_port()}/keydesk")
    said = away.refused("audit", "verify")
    assert said.startswith("The database cannot be asked: ConnectionRefusedError(")
    assert "a-password" not in said


def test_a_folder_that_cannot_be_created_is_named(elsewhere: Keydesk, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = elsewhere.under(KEYDESK_DATABASE_URL=f"sqlite:///{tmp_path}/file/keydesk.db").refused("migrate")
    assert said == f"{tmp_path}/file: File exists"


def test_a_file_that_is_not_a_database_is_not_changed(elsewhere: Keydesk, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("These are my notes, and no database at all. " * 20)
    said = elsewhere.under(KEYDESK_DATABASE_URL=f"sqlite:///{notes}").refused("migrate")
    assert said.startswith("The database cannot be asked: ") and "file is not a database" in said
    assert notes.read_text().startswith("These are my notes")


@pytest.mark.parametrize(
    "arguments", [("no-such-command",), ("set-plan", "acme"), ("find", "fl_live_x"), ("revoke", "--reason", "WHIM")]
)
def test_wrong_usage_is_exit_code_two(arguments: tuple[str, ...], keydesk: Keydesk) -> None:
    keydesk.refused(*arguments, code=2)
