"""Access logs as nginx writes them, in the log_format of the example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from app import ids
from app.clock import rfc3339
from tests.support.processes import ROOT

CONFIGURATION = (ROOT / "examples" / "nginx" / "nginx.conf").read_text()
_DECLARED = re.search(r"^log_format keydesk escape=json(.*?);$", CONFIGURATION, re.M | re.S)
assert _DECLARED is not None
FORMAT = "".join(re.findall(r"'([^']*)'", _DECLARED[1]))


def line(key_id: str, at: int, status: int = 200, **variables: Any) -> str:
    """A request that was let through; `variables`: of nginx, without `$`."""
    usual = {"keydesk_request_id": ids.new("req"), "keydesk_key_id": key_id, "keydesk_permission": "pdf.read"}
    usual |= {"time_iso8601": rfc3339(at)[:19] + "+00:00", "status": status, "remote_addr": "203.0.113.9"}
    values = usual | {"http_user_agent": "curl/8.4", "keydesk_outcome_follows": "true"} | variables
    return re.sub(r"\$(\w+)", lambda name: json.dumps(str(values[name[1]]))[1:-1], FORMAT)


def write(file: Path, lines: Iterable[str], *, append: bool = False) -> Path:
    """The log; its bytes are Latin-1, as those of headers."""
    with file.open("ab" if append else "wb") as log:
        log.writelines(_ended(lines))
    return file


def _ended(lines: Iterable[str]) -> Iterator[bytes]:
    return (f"{each}\n".encode("latin-1") for each in lines)
