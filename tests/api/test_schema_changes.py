"""The changelog of the schema: generated from its versions, complete, and by what a change means for clients."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from app.api.schema import sdl
from app.api.schema_changes import Change, Effect, as_markdown, changelog, changes, history_in
from app.cli.graphql_schema import schema
from app.paths import HISTORY, SCHEMA

OLD = """
enum Color { RED BLUE }
interface Named { name: String! }
input Filter { color: Color, name: String }
type Key implements Named { id: ID! name: String! color: Color prefix: String! }
type Query { key(id: ID!): Key keys(filter: Filter, first: Int = 20): [Key!]! }
"""
NEW = """
enum Color { RED GREEN }
interface Named { name: String! }
input Filter { color: Color, name: String, label: String, owner: String! }
type Key implements Named { id: ID! name: String! color: Color @deprecated(reason: "Use labels.") prefix: String labels: [Label!]! }
type Label { name: String! }
type Query { key(id: ID!, slug: String): Key keys(filter: Filter, first: Int = 50): [Key!]! }
"""


def test_every_change_is_listed_by_what_it_means_for_clients() -> None:
    assert changes(OLD, NEW) == [
        Change(Effect.BREAKING, "A required field Filter.owner was added."),
        Change(Effect.BREAKING, "Enum value Color.BLUE was removed."),
        Change(Effect.BREAKING, "Field Key.prefix changed type from String! to String."),
        Change(Effect.TAKE_CARE, "An optional argument Query.key(slug:) was added."),
        Change(Effect.TAKE_CARE, "An optional field Filter.label was added."),
        Change(Effect.TAKE_CARE, "Enum value Color.GREEN was added."),
        Change(Effect.TAKE_CARE, "Query.keys(first:) has changed defaultValue from 20 to 50."),
        Change(Effect.DEPRECATED, "`Key.color`: Use labels."),
        Change(Effect.ADDED, "`Key.labels`"),
        Change(Effect.ADDED, "`Label`"),
    ]


def test_the_same_schema_has_no_changes() -> None:
    assert changes(OLD, OLD) == [] and as_markdown([]) == "Nothing changed.\n"
    assert changes(NEW, NEW) == [], "what was deprecated before is not deprecated again"


def test_the_changelog_of_the_schema_is_that_of_its_versions() -> None:
    """If it fails: `make contract`."""
    assert (SCHEMA.parent / "CHANGELOG.md").read_text(encoding="utf-8") == changelog(history_in(HISTORY), sdl())


def test_a_changelog_lists_versions_from_the_newest_to_the_first() -> None:
    text = changelog({"2026-01-01": OLD, "2026-02-01": NEW}, NEW)
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## Unreleased", "## 2026-02-01", "## 2026-01-01"]
    unreleased, second = text.split("\n## ")[1:3]
    assert unreleased == "Unreleased\n\nNothing changed.\n" and "- Enum value Color.BLUE was removed.\n" in second


def test_the_command_compares_with_the_schema_of_a_client(tmp_path: Path) -> None:
    pinned, invalid = max(HISTORY.iterdir()), tmp_path / "invalid.graphql"
    invalid.write_text("type {")
    done = CliRunner().invoke(schema, ["--since", str(pinned), "--json"])
    expected = changes(pinned.read_text(encoding="utf-8"), sdl())
    assert json.loads(done.output)["changes"] == [{"effect": each.effect.name, "change": each.text} for each in expected] != []
    assert CliRunner().invoke(schema, ["--since", str(SCHEMA)]).output == "Nothing changed.\n"
    for arguments in (["--since", str(invalid)], ["--since", str(SCHEMA), "--changelog"], ["--since", str(tmp_path / "none")]):
        refused = CliRunner().invoke(schema, arguments)
        assert refused.exit_code == 2 and "Error: " in refused.output
