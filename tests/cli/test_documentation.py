"""`docs/cli.md` describes exactly the commands and options that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from app.access.actor import Scope
from app.cli import main
from app.keys.key import Reason

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "cli.md").read_text()


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> dict[str, click.Command]:
    """Every command by its full name."""
    found: dict[str, click.Command] = {}
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            found |= leaves(command, (*path, name))
        else:
            found[" ".join((*path, name))] = command
    return found


def sections() -> dict[str, str]:
    parts = re.split(r"^### `keydesk ([a-z -]+)`$", PAGE, flags=re.M)
    return {name: re.split(r"^## ", text, flags=re.M)[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def options(command: click.Command) -> set[str]:
    """The command's own options, without those that all commands have."""
    return {name for option in command.params if isinstance(option, click.Option) for name in option.opts} - {"--json"}


COMMANDS = leaves(main)


def test_every_command_is_described_and_every_description_has_its_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described_and_every_description_has_its_option(name: str) -> None:
    described = set(re.findall(r"^- `(--[a-z-]+)", sections()[name], re.M))
    assert described == options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_a_command_is_one_it_accepts(name: str) -> None:
    (example,) = re.findall(r"^```sh\n(.+)\n```", sections()[name], re.M)
    typed = shlex.split(re.split(r" [<>] ", example)[0])
    path = ["keydesk", *name.split()]
    assert typed[: len(path)] == path
    COMMANDS[name].make_context(name, typed[len(path) :])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_answers_in_json_and_explains_itself_and_its_options(name: str) -> None:
    command = COMMANDS[name]
    assert any(option.name == "as_json" for option in command.params)
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_list_of_commands_truncates_no_explanation() -> None:
    with click.Context(main, info_name="keydesk", **main.context_settings) as context:
        assert "..." not in main.get_help(context).split("Commands:")[1]


def test_reasons_and_scopes_are_listed_completely() -> None:
    assert re.findall(r"`([A-Z_]+)`", re.split(r"^- `--note", sections()["revoke"], flags=re.M)[0])[-len(Reason) :] == [*Reason]
    assert re.findall(r"`([a-z]+\.[a-z]+)`", sections()["management-key create"]) == [*Scope]
