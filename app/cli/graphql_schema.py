"""Prints the GraphQL schema, and how it differs from earlier ones."""

from __future__ import annotations

from pathlib import Path

import click

from app.cli.runner import Result, emit, with_json
from app.paths import HISTORY


@with_json
@click.command("schema")
@click.option(
    "--since",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Print what changed since the schema in FILE instead.",
)
@click.option("--changelog", is_flag=True, help="Print the changelog of all published schemas instead.")
def schema(since: Path | None, changelog: bool, as_json: bool) -> None:
    """Print the GraphQL schema (SDL), or what has changed.

    With --since, breaking changes come first; keep the schema that a client was written for to see what an upgrade means for it.
    """
    if since and changelog:
        raise click.UsageError("Give --since or --changelog, not both.")
    # Imported here, because no other command needs GraphQL.
    from app.api import schema_changes
    from app.api.schema import sdl

    if since:
        try:
            found = schema_changes.changes(since.read_text(encoding="utf-8"), sdl())
        except (ValueError, schema_changes.GraphQLError) as error:
            raise click.BadParameter(f"{since} is not a GraphQL schema: {error}", param_hint="--since") from None
        data = [{"effect": change.effect.name, "change": change.text} for change in found]
        emit(Result({"changes": data}, (schema_changes.as_markdown(found).rstrip("\n"),)), as_json)
    elif changelog:
        text = schema_changes.changelog(schema_changes.history_in(HISTORY), sdl())
        emit(Result({"changelog": text}, (text.rstrip("\n"),)), as_json)
    else:
        emit(Result({"schema": sdl()}, (sdl().rstrip("\n"),)), as_json)
