"""Prints the OpenAPI document of `/v1`."""

from __future__ import annotations

import json

import click

from app.cli.runner import Result, emit, with_json


@with_json
@click.command("openapi")
def openapi(as_json: bool) -> None:
    """Print the OpenAPI document of /v1."""
    # Imported here, because no other command needs it.
    from app.openapi import document

    emit(Result({"openapi": document()}, (json.dumps(document(), indent=2, ensure_ascii=False),)), as_json)
