"""The result of a scan as text, JSON or SARIF 2.1.0. Of a secret only its prefix is shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from app.cli.scan_files import Finding, Tally
from app.cli.scan_lookup import LookupResult, Unanswered
from app.keys.secret import mask_secrets, prefix_of

RULE: Final = "keydesk-secret"
_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_SHORT_COMMIT: Final = 12


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in a fixed order, and what each secret opens."""

    findings: tuple[Finding, ...]
    results: Mapping[str, LookupResult]
    tally: Tally

    def of(self, finding: Finding) -> LookupResult:
        return self.results[finding.secret]


def as_text(report: Report) -> list[str]:
    """One line for each finding."""
    return [_line(finding, report.of(finding)) for finding in report.findings]


def summary(report: Report) -> str:
    tally, count = report.tally, len({finding.secret for finding in report.findings})
    what = "No key" if not count else f"{count} key{'' if count == 1 else 's'}"
    unread = f" Not readable: {len(tally.unreadable)}." if tally.unreadable else ""
    files = "1 file" if tally.files == 1 else f"{tally.files:,} files"
    return f"{what} found in {files}, {tally.size / 1_000_000:,.1f} MB.{unread}"


def as_json(report: Report) -> dict[str, Any]:
    tally = report.tally
    read = {"files": tally.files, "bytes": tally.size, "unreadable": tally.unreadable}
    return {"findings": [_data(finding, report.of(finding)) for finding in report.findings], "scanned": read}


def as_sarif(report: Report) -> dict[str, Any]:
    """SARIF 2.1.0, as code hosts import it."""
    rule = {
        "id": RULE,
        "name": "KeydeskSecret",
        "shortDescription": {"text": "A secret of Keydesk"},
        "fullDescription": {"text": "The secret of an API key, management key or gateway token, with a valid checksum."},
        "help": {"text": "Revoke the key. Removing it from the file does not help: history and copies keep it."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security"], "security-severity": "9.0"},
    }
    run = {
        "tool": {"driver": {"name": "Keydesk", "semanticVersion": version("keydesk"), "rules": [rule]}},
        "columnKind": "utf16CodeUnits",
        "invocations": [
            {
                "executionSuccessful": not report.tally.unreadable,
                "toolExecutionNotifications": [
                    {"level": "warning", "message": {"text": f"Not readable: {path}"}} for path in report.tally.unreadable
                ],
            }
        ],
        "results": [_result(finding, report.of(finding)) for finding in report.findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def rendered(report: Report, format: str) -> list[str]:
    if format == "text":
        return as_text(report)
    return [json.dumps(as_json(report) if format == "json" else as_sarif(report), ensure_ascii=False)]


def _path(finding: Finding) -> str:
    """The path may contain a secret itself."""
    return mask_secrets(finding.path)


def _line(finding: Finding, result: LookupResult) -> str:
    commit = f" in commit {finding.commit[:_SHORT_COMMIT]}" if finding.commit else ""
    return f"{_path(finding)}:{finding.line}: {prefix_of(finding.secret)}…{commit} {_described(result)}"


def _described(result: LookupResult) -> str:
    match result.status:
        case Unanswered.NOT_ASKED:
            return "(not asked whether it is live)"
        case Unanswered.UNKNOWN:
            return "UNKNOWN here"
        case status:
            return " ".join(part for part in (str(status), result.id, result.name and f'"{result.name}"') if part)


def _data(finding: Finding, result: LookupResult) -> dict[str, Any]:
    return {
        "path": _path(finding),
        "line": finding.line,
        "commit": finding.commit,
        "prefix": prefix_of(finding.secret),
        "status": str(result.status),
        "id": result.id,
        "kind": result.kind,
        "name": result.name,
        "workspace": result.workspace,
    }


def _result(finding: Finding, result: LookupResult) -> dict[str, Any]:
    location = {"artifactLocation": {"uri": quote(_path(finding))}, "region": {"startLine": finding.line}}
    where = f" in commit {finding.commit}" if finding.commit else ""
    return {
        "ruleId": RULE,
        "ruleIndex": 0,
        "level": "note" if result.is_dead else "error",
        "message": {"text": f"The secret {prefix_of(finding.secret)}… is in this file{where}: {_described(result)}."},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"secret/v1": hashlib.sha256(b"fingerprint " + finding.secret.encode()).hexdigest()[:32]},
        "properties": {name: value for name, value in _data(finding, result).items() if value is not None},
    }
