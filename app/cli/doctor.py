"""Examines the installation."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from app import catalogue
from app.cli.runner import OPERATOR, Result, columns, command, settings
from app.doctor.finding import Finding, Level
from app.doctor.preview import preview
from app.doctor.service import examine


@command("doctor")
@click.option(
    "--catalogue", "file", type=click.Path(path_type=Path), help="Show instead what this file would change for the existing keys."
)
async def doctor(file: Path | None) -> Result:
    """Look for what is wrong; print what matters.

    Every setting that bears on security, and what the database says of itself: ok, warn or fail on each line, exit code 1
    if anything fails.
    """
    findings = await (preview(OPERATOR, catalogue.load(file)) if file else examine(OPERATOR, settings()))
    failed = any(finding.level is Level.FAIL for finding in findings)
    return Result([asdict(finding) for finding in findings], columns([_row(each) for each in findings]), exit_code=int(failed))


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.level, finding.what, finding.text
