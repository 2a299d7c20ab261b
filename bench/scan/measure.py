"""Measures `keydesk scan` on generated data: a git history of mixed text files, and one large file of random Base64.

Half of the history's files are source code; the others are locks full of digests, JSON, minified scripts in one line, and small
settings. Each commit changes a tenth of one. Its size is what git stores before compression: the sum of all versions of all files.
Some versions contain a key, so that the search for their commits is part of the time.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.keys.secret import generate

ROOT = Path(__file__).resolve().parents[2]
FILES, CHANGED, LEAK_EVERY = 50, 10, 500
WORDS = ("def", "return", "self", "for_each", "value_of", "if not None", "import", "class", "key_name", "request_id", "_private")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {"history": history(Path(folder), given.megabytes), "base64": base64_file(Path(folder), given.megabytes)}
    if given.json:
        print(json.dumps(found))
        return
    for name, each in found.items():
        print(f"{name}: {each['megabytes']:.0f} MB in {each['seconds']:.1f} s, {each['rate']:.0f} MB/s, {each['found']} found;")
        packed = f", {each['packed']:.0f} MB as git keeps it" if "packed" in each else ""
        print(f"  processor {each['cpu']:.1f} s, at this rate 1 GB takes {1_000 / each['rate']:.0f} s{packed}")


def history(folder: Path, megabytes: int) -> dict[str, Any]:
    repository = folder / "repository"
    subprocess.run(["git", "init", "-q", "--bare", repository], check=True)
    with subprocess.Popen(["git", "fast-import", "--quiet"], cwd=repository, stdin=subprocess.PIPE) as importing:
        assert importing.stdin is not None
        for piece in commits(megabytes * 1_000_000):
            importing.stdin.write(piece)
    assert importing.returncode == 0
    packed = sum(path.stat().st_size for path in (repository / "objects").rglob("*") if path.is_file())
    return {**scanned("--git", str(repository)), "packed": packed / 1_000_000}


def base64_file(folder: Path, megabytes: int) -> dict[str, Any]:
    file = folder / "random.txt"
    file.write_bytes(base64.urlsafe_b64encode(os.urandom(megabytes * 750_000)))
    return scanned(str(file))


def scanned(*arguments: str) -> dict[str, Any]:
    """Includes the start of the command, and git's processes."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "app", "scan", *arguments, "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    content = json.loads(done.stdout)
    megabytes = content["scanned"]["bytes"] / 1_000_000
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = len(content["findings"])
    return {"megabytes": megabytes, "seconds": seconds, "rate": megabytes / seconds, "cpu": cpu, "found": found}


def commits(size: int) -> Iterator[bytes]:
    """A stream for `git fast-import`."""
    chance = random.Random(1)
    kinds = [OF_TEN[number % len(OF_TEN)] for number in range(FILES)]
    files = [[make(chance) for _ in range(lines)] for make, lines in kinds]
    written, number = 0, 0
    while written < size:
        content, (make, lines) = files[number % FILES], kinds[number % FILES]
        for _ in range(lines // CHANGED):
            content[chance.randrange(lines)] = make(chance)
        text = "".join([*content, f"KEY = '{generate('fl', 'live')}'"] if number % LEAK_EVERY == 0 else content).encode()
        message = b"change %d" % number
        yield b"commit refs/heads/main\ncommitter Ann <ann@example.org> %d +0000\ndata %d\n%s\n" % (
            1_700_000_000 + number,
            len(message),
            message,
        )
        yield b"M 100644 inline src/file_%d\ndata %d\n%s\n\n" % (number % FILES, len(text), text)
        written, number = written + len(text), number + 1


def source(chance: random.Random) -> str:
    return "    " + " ".join(chance.choices(WORDS, k=6)) + "\n"


def digest(chance: random.Random) -> str:
    return f"    --hash=sha256:{chance.randbytes(32).hex()} \\\n"


def record(chance: random.Random) -> str:
    return f'  {{"id": "usr_{chance.randrange(10**9)}", "key_id": "{chance.choice(WORDS)}", "total": {chance.random()}}},\n'


def statement(chance: random.Random) -> str:
    return f"function _{chance.randrange(999)}(e,t){{return e._{chance.choice(WORDS)}||t_live({chance.randrange(99)})}}"


def setting(chance: random.Random) -> str:
    return f"{chance.choice(WORDS).upper()}={base64.b64encode(chance.randbytes(12)).decode()}\n"


# What makes a line of the kind, how many a file has, and how many of ten files are of it.
KINDS = ((source, 1_000, 5), (digest, 1_500, 1), (record, 3_000, 1), (statement, 4_000, 1), (setting, 40, 2))
OF_TEN = [(make, lines) for make, lines, share in KINDS for _ in range(share)]
