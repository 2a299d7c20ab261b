"""How much memory the processes of a node hold after the start, and after 10,000 verifications, 100 pages and 100 GraphQL requests:
resident memory, and the share of each process if what several share is divided among them (PSS). Once with one process, once with
two workers."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import time
from pathlib import Path
from typing import Final

from bench import node, sample
from bench.launch import DATABASES, installed
from bench.load import HOST

KEYS: Final = 500
VERIFICATIONS, PAGES, OPERATIONS = 10_000, 100, 100
TARGET_MEGABYTES: Final = 100
_FOLD_SECONDS: Final = 2
_ATTEMPTS: Final = 100
_LIST: Final = "{workspace{apiKeys(first:10){nodes{id name status}}}}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="sqlite")
    given = parser.parse_args()
    for name in DATABASES if given.database == "both" else (given.database,):
        with installed(name) as (folder, variables):
            data = asyncio.run(node.fill(variables, lambda: sample.fill(KEYS, 1)))
            print(f"\n{name}\n{'':36}{'RSS MB':>8}{'PSS MB':>8}  at most {TARGET_MEGABYTES} wanted")
            for workers in ("1", "2"):
                with node.serving(variables, folder, "--workers", workers) as started:
                    _measure(started, data, f"--workers {workers}")


def _measure(started: node.Node, data: sample.Sample, name: str) -> None:
    started.wait_until_ready()
    time.sleep(_FOLD_SECONDS)
    _show(started, f"{name}, after the start")
    _use(started.port, data)
    time.sleep(_FOLD_SECONDS)
    _show(started, f"{name}, after the load")


def _use(port: int, data: sample.Sample) -> None:
    """Sends the load, with a new connection for every hundred requests, so that all workers get some."""
    (path, tokens), *_ = data.watched
    keys_path = path.rsplit("/", 2)[0]
    pages = [("GET", keys_path, {"cookie": f"keydesk-session={tokens[0]}"}, None)]
    operations = [("POST", "/graphql", {"authorization": f"Bearer {data.management_key}"}, {"query": _LIST})]
    gateway = {"authorization": f"Bearer {data.gateway_token}"}
    verifications = [("POST", "/v1/verify", gateway, {"key": key}) for key in data.keys]
    for requests, count in ((verifications, VERIFICATIONS), (pages, PAGES), (operations, OPERATIONS)):
        for start in range(0, count, 100):
            _send(port, [requests[number % len(requests)] for number in range(start, start + 100)])


def _send(port: int, requests: list[tuple[str, str, dict[str, str], object]]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for method, path, headers, body in requests:
        content = None if body is None else json.dumps(body)
        # A busy machine answers 503 for a moment.
        for _ in range(_ATTEMPTS):
            connection.request(method, path, content, {"host": HOST, "content-type": "application/json"} | headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 503:
                break
            time.sleep(0.1)
        if answer.status >= 400:
            raise SystemExit(f"{path} was answered with {answer.status}.")
    connection.close()


def _show(started: node.Node, name: str) -> None:
    parent, *workers = started.processes()
    for number, pid in enumerate(workers or [parent], start=1):
        title = f"{name}, worker {number}" if workers else name
        print(f"{title:36}" + "".join(f"{_kilobytes(pid, kind) / 1000:>8.0f}" for kind in ("Rss", "Pss")))


def _kilobytes(pid: int, kind: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
