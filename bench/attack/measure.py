"""Measures the most expensive accepted GraphQL operations over 500 keys with a year of usage: what each costs the server, how
long verifications take beside four callers of the worst, and how long another workspace waits for its list of keys."""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.attack.client import post

ROOT = Path(__file__).resolve().parents[2]
ATTACKERS = 4
ROUNDS = 3
SINCE = "2026-01-01T00:00:00Z"

USAGE = "usage{totalRequests}"
TEN_SINCE = " ".join(f'u{n}:usage(since:"2026-11-{10 + n}T00:00:00Z"){{totalRequests}}' for n in range(10))
CALLERS = "callers{id network userAgent requests lastSeenAt}"
KEYS = "{workspace{apiKeys(first:%d){nodes{id %s}}}}"
ATTACKS: dict[str, tuple[str, dict[str, Any]]] = {
    "workspace usage": ("{workspace{" + USAGE + "}}", {}),
    "workspace usage, ten times": ("{workspace{" + TEN_SINCE + "}}", {}),
    "workspace usage, a year": ("{workspace{usage(since:$s){totalRequests series{at total}}}}", {"s": SINCE}),
    "workspace usage, 1,000 hours": ("{workspace{usage(since:$s,granularity:HOUR){totalRequests}}}", {"s": "hours:900"}),
    "100 keys, verdict": (KEYS % (100, "revocationImpact{verdict}"), {}),
    "20 keys, verdict": (KEYS % (20, "revocationImpact{verdict}"), {}),
    "100 keys, one caller": (KEYS % (100, "callers(first:1){totalCount}"), {}),
    "20 keys, 20 callers": (KEYS % (20, "callers(first:20){nodes{id network userAgent}}"), {}),
    "100 keys, impact's callers": (KEYS % (100, "revocationImpact{" + CALLERS + "}"), {}),
    "10 keys, impact's callers": (KEYS % (10, "revocationImpact{" + CALLERS + "}"), {}),
    "100 keys, 100.0 callers": ("{workspace{apiKeys(first:100){nodes{callers(first:$n){nodes{id}}}}}}", {"n": 100.0}),
    "100 keys, series of 30 days": (KEYS % (100, "usage{series{at total successful failed}}"), {}),
    "50 keys, series of 30 days": (KEYS % (50, "usage{series{at total successful failed}}"), {}),
    "100 keys, hours of 5 days": (
        "{workspace{apiKeys(first:100){nodes{usage(since:$s,granularity:HOUR){totalRequests}}}}}",
        {"s": "hours:120"},
    ),
    "100 keys, unused permissions": (KEYS % (100, "unusedPermissions{name}"), {}),
    "ten roots of 100 keys, unused permissions": (
        "{" + " ".join(f"w{n}:workspace{{apiKeys(first:100){{nodes{{unusedPermissions{{name}}}}}}}}" for n in range(10)) + "}",
        {},
    ),
    "audit log of 100": ("{workspace{auditEvents(first:100){nodes{id at action actor{name} detail}}}}", {}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keydesk-bench-") as folder:
        print(json.dumps(_measured(Path(folder), given.days), indent=1))


def _measured(folder: Path, days: int) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
    port = 18_777
    own = {
        "KEYDESK_DATABASE_URL": f"sqlite:///{folder}/keydesk.db",
        "KEYDESK_PEPPER": "a pepper for the benchmark and for nothing else",
        "KEYDESK_REVOCATION_JOURNAL": f"{folder}/journal.jsonl",
        "KEYDESK_PORT": str(port),
        "KEYDESK_DEV": "1",
    }
    filled = subprocess.run(
        [sys.executable, "-m", "bench.attack.fill", str(days)], env=kept | own, cwd=ROOT, check=True, capture_output=True
    )
    sample = json.loads(filled.stdout.splitlines()[-1])
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "app", "serve"], env=kept | own, cwd=ROOT, stdout=log, stderr=log)
    try:
        _wait(port)
        costs = {name: _cost(server.pid, port, sample["program"], query, variables) for name, (query, variables) in ATTACKS.items()}
        accepted = [name for name, cost in costs.items() if cost["status"] == "accepted"]
        return {"operations": costs, "beside": asyncio.run(_beside(port, sample, accepted, costs))}
    finally:
        server.terminate()
        server.wait(20)


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server did not become ready")


def _body(query: str, variables: dict[str, Any]) -> bytes:
    given = {}
    for name, value in variables.items():
        if isinstance(value, str) and (hours := re.fullmatch(r"hours:(\d+)", value)):
            value = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - int(hours[1]) * 3600))
        given[name] = value
    kinds = {"s": "DateTime", "n": "Int"}
    head = "query(" + ",".join(f"${name}:{kinds[name]}" for name in given) + ")" if given else ""
    return json.dumps({"query": head + query, "variables": given}).encode()


def _ask(port: int, token: str, body: bytes) -> tuple[Any, int]:
    """Returns the answer, and the seconds to wait before a retry if earlier measurements have used up the caller's points."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", "/graphql", body, headers)
    answer = connection.getresponse()
    return json.loads(answer.read()), int(answer.headers.get("retry-after", 0))


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _cost(pid: int, port: int, token: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    body, walls, cpus, answer = _body(query, variables), [], [], {}
    while len(walls) < ROUNDS:
        cpu, began = _cpu(pid), time.perf_counter()
        answer, again_in = _ask(port, token, body)
        if again_in:
            time.sleep(again_in)
            continue
        walls.append((time.perf_counter() - began) * 1000)
        cpus.append((_cpu(pid) - cpu) * 1000)
    refused = answer.get("errors")
    code = refused[0].get("extensions", {}).get("code") if refused else None
    found = {
        "status": f"refused {code}" if refused else "accepted",
        "wall ms": round(statistics.median(walls)),
        "cpu ms": round(statistics.median(cpus)),
    }
    if refused:
        found["message"] = refused[0]["message"][:100]
    return found


async def _beside(port: int, sample: dict[str, str], accepted: list[str], costs: dict[str, Any]) -> dict[str, Any]:
    """Measures verification and another workspace's list, idle and beside four callers of the most expensive operations."""
    worst = sorted(accepted, key=lambda name: -costs[name]["cpu ms"])[:4]
    list_body = json.dumps({"query": "{workspace{apiKeys(first:5){nodes{id name}}}}"}).encode()
    verify_body = json.dumps({"key": sample["secret"]}).encode()
    found: dict[str, Any] = {"most expensive": worst}

    async def timed(path: str, token: str, body: bytes, pause: float, until: float, into: list[float], bad: list[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < until:
            began = time.perf_counter()
            if (status := await post(reader, writer, path, token, body)) != 200:
                bad.append(status)
            into.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(pause)
        writer.close()

    for name, attackers in [("idle", 0), ("attacked", ATTACKERS), ("idle again", 0), ("attacked again", ATTACKERS)]:
        until = time.perf_counter() + 8
        verify: list[float] = []
        other: list[float] = []
        bad: list[int] = []
        jobs = [timed("/v1/verify", sample["gateway"], verify_body, 0.005, until, verify, bad) for _ in range(4)]
        jobs.append(timed("/graphql", sample["other"], list_body, 0.05, until, other, bad))
        bodies = [_body(*ATTACKS[worst[number % len(worst)]]).decode() for number in range(attackers)]
        given = json.dumps({"port": port, "token": sample["program"], "bodies": bodies, "until": until})
        attack = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.attack.load", given, cwd=ROOT, stdout=subprocess.PIPE
        )
        await asyncio.gather(*jobs)
        refused = int((await attack.communicate())[0])
        found[name] = {
            "verify p50 ms": round(statistics.median(verify), 1),
            "verify p99 ms": round(statistics.quantiles(verify, n=100)[98], 1),
            "verifications": len(verify),
            "other list worst ms": round(max(other)),
            "not 200": len(bad),
            "attackers refused": refused,
        }
    return found
