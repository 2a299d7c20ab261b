"""`keydesk scan`: finds keys in files, git history and stdin, says whether they are live, and can revoke them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import click

from app import logs
from app.cli import scan_files, scan_git, scan_report
from app.cli.graphql_client import KEY, SERVER, GraphqlClient
from app.cli.runner import error_line, with_json
from app.cli.scan_files import STDIN, Advance, Finding, Tally
from app.cli.scan_lookup import NOT_ASKED, ByDatabase, ByServer, Lookup, LookupResult
from app.cli.scan_report import Report
from app.errors import KeydeskError
from app.keys.secret import mask_secrets, prefix_of

FOUND: Final = 1
FAILED: Final = 2
_DATABASE: Final = "KEYDESK_DATABASE_URL"


class _Failed(click.ClickException):
    """An error has another exit code than a finding."""

    exit_code = FAILED


@dataclass(frozen=True, slots=True)
class _Options:
    paths: tuple[str, ...]
    git: bool
    staged: bool
    check: str
    workspace: str | None
    format: str
    ignore_dead: bool
    revoke: bool
    yes: bool


@with_json
@click.command("scan")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(exists=True, allow_dash=True))
@click.option("--git", is_flag=True, help="Search everything that these repositories store, by default the one here.")
@click.option("--staged", is_flag=True, help="Search what is staged for the next commit, as a pre-commit hook.")
@click.option(
    "--check",
    type=click.Choice(["auto", "server", "database", "none"]),
    default="auto",
    show_default=True,
    help="Where to ask whether a key is live.",
)
@click.option("--workspace", metavar="SLUG", help="The workspace to ask in; a management key knows one only.")
@click.option(
    "--format",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="SARIF 2.1.0 is for code hosts.",
)
@click.option("--ignore-dead", is_flag=True, help="Leave out keys that are revoked or expired.")
@click.option("--revoke", is_flag=True, help="Revoke the keys that are found, after a question.")
@click.option("--yes", is_flag=True, help="Revoke without a question.")
def scan(as_json: bool, **given: object) -> None:
    """Find keys in files and git history.

    Searches files, folders, stdin (-) and git repositories for secrets with a valid checksum. Shows where each is and whether its
    key is live; never the secret. Exit code 0: nothing found; 1: found; 2: wrong usage or an error, or a file could not be read.
    """
    options = _Options(**given)  # type: ignore[arg-type]  # click has checked them against the declarations above
    logs.set_up("WARNING")
    try:
        _refuse_contradictions(options)
        report = _report(options)
        report = _without_dead(report) if options.ignore_dead else report
        if options.revoke:
            report = _revoked(report, options)
    except (KeydeskError, OSError) as error:
        raise _Failed(error_line(error)) from error
    for path in report.tally.unreadable:
        click.echo(f"Not readable: {path}", err=True)
    for line in scan_report.rendered(report, "json" if as_json else options.format):
        click.echo(line)
    click.echo(scan_report.summary(report), err=True)
    sys.exit(FOUND if report.findings else FAILED if report.tally.unreadable else 0)


def _refuse_contradictions(options: _Options) -> None:
    if options.git and options.staged:
        raise click.UsageError("Choose --git or --staged.")
    if not options.paths and not options.git and not options.staged:
        raise click.UsageError("Name files or folders, or - for stdin; or use --git or --staged.")
    if STDIN in options.paths and (options.git or options.staged):
        raise click.UsageError("stdin is no git repository.")
    if options.revoke and _lookup(options) is None:
        raise click.UsageError(f"--revoke needs {SERVER} and {KEY}, or a database: see --check.")
    if options.revoke and not options.yes and not sys.stdin.isatty():
        raise click.UsageError("--revoke asks a question; without a terminal add --yes.")


def _report(options: _Options) -> Report:
    tally = Tally()
    findings = tuple(_found(options, tally))
    lookup, secrets = _lookup(options), {finding.secret: None for finding in findings}
    results: Mapping[str, LookupResult] = dict.fromkeys(secrets, NOT_ASKED)
    if lookup is not None and secrets:
        results = lookup.look_up(secrets)
    return Report(findings, results, tally)


def _found(options: _Options, tally: Tally) -> Iterator[Finding]:
    if options.git or options.staged:
        for repository in options.paths or (scan_git.HERE,):
            yield from _in_repository(repository, tally, staged=options.staged)
        return
    if STDIN in options.paths:
        yield from scan_files.in_stream(sys.stdin.buffer, tally)
    files = scan_files.regular_files([path for path in options.paths if path != STDIN], tally)
    with _progress(sum(size for _, size in files)) as advance:
        yield from scan_files.in_files(files, tally, advance)


def _in_repository(repository: str, tally: Tally, *, staged: bool) -> list[Finding]:
    if staged:
        return scan_git.in_staged(repository, tally, lambda _: None)
    with _progress(scan_git.count_objects(repository)) as advance:
        return scan_git.in_history(repository, tally, advance)


@contextlib.contextmanager
def _progress(length: int) -> Iterator[Advance]:
    """A bar on stderr, if that is a terminal."""
    size, hidden = max(length, 1), not sys.stderr.isatty()
    # Redrawing for each small file would take longer than reading it.
    steps = max(size // 500, 1)
    with click.progressbar(length=size, label="Scanning", file=sys.stderr, hidden=hidden, update_min_steps=steps) as bar:
        yield bar.update


def _lookup(options: _Options) -> Lookup | None:
    """Where to ask. `auto`: the server or the database that the environment names, or nowhere."""
    check = options.check
    if check == "auto":
        check = "server" if os.environ.get(SERVER) else "database" if os.environ.get(_DATABASE) else "none"
    if check == "server":
        return ByServer(GraphqlClient.of(os.environ, scope="keys.read"), options.workspace)
    return ByDatabase() if check == "database" else None


def _without_dead(report: Report) -> Report:
    return replace(report, findings=tuple(each for each in report.findings if not report.of(each).is_dead))


def _revoked(report: Report, options: _Options) -> Report:
    lookup = _lookup(options)
    wanted = {each.secret: _note(each) for each in reversed(report.findings) if report.of(each).is_revocable}
    if lookup is None or not wanted:
        return report
    for line in scan_report.as_text(report):
        click.echo(line, err=True)
    names = ", ".join(f"{prefix_of(secret)}…" for secret in wanted)
    if not options.yes and not click.confirm(f"Revoke {len(wanted)} permanently ({names})?", err=True):
        return report
    return replace(report, results={**report.results, **lookup.revoke(wanted, report.results)})


def _note(finding: Finding) -> str:
    """Where it was found, for the members of the workspace."""
    place = f"{finding.path}:{finding.line}" + (f" in commit {finding.commit}" if finding.commit else "")
    return mask_secrets(f"Found by keydesk scan: {place}")
