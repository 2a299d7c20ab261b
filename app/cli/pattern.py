"""`keydesk pattern`: the configuration with which other secret scanners find this installation's keys."""

from __future__ import annotations

import click

from app import catalogue
from app.cli.runner import Result, emit, settings, with_json
from app.leaks.patterns import FORMATS


@with_json
@click.command("pattern")
@click.argument("scanner", metavar="SCANNER", type=click.Choice([*FORMATS]))
def pattern(scanner: str, as_json: bool) -> None:
    """Print the expression for another secret scanner.

    SCANNER is regex, gitleaks, trufflehog or detect-secrets. Uses the prefixes of the catalogue; needs no database.
    """
    text = FORMATS[scanner](catalogue.load(settings().catalogue).prefixes)
    emit(Result({"scanner": scanner, "content": text}, tuple(text.removesuffix("\n").split("\n"))), as_json)
