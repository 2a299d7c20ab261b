"""Finds keys in everything that a git repository stores, and in what is staged for the next commit.

`git cat-file` streams each object once, so a file's thousand versions are not compared with each other. Only when something
was found, one `git log` says which paths and commits contain it. No command runs hooks, filters or programs of the repository.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from app.cli.scan_files import Advance, Finding, Tally
from app.errors import KeydeskError
from app.keys.scanning import PIECE, Found, lines_of

_SCANNED: Final = frozenset({b"blob", b"commit", b"tag"})
_NO_OBJECT: Final = "0"
HERE: Final = "."
_OF_A_HOOK: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"})
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "core.quotePath=false")


class GitFailed(KeydeskError):
    """Git is missing, or refused."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object with secrets in it: each with its line."""

    id: str
    kind: str
    found: tuple[Found, ...] = field(repr=False)


def count_objects(repository: str) -> int:
    """How many objects the repository has, for the progress bar. Raises GitFailed."""
    counts = dict(line.split(": ", 1) for line in _output(repository, "count-objects", "-v").decode().splitlines())
    return int(counts.get("count", 0)) + int(counts.get("in-pack", 0))


def in_history(repository: str, tally: Tally, advance: Advance) -> list[Finding]:
    """The secrets in all objects, also those that no branch reaches anymore. Raises GitFailed."""
    arguments = ("cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer")
    with _running(repository, *arguments) as stream:
        objects = list(_with_secrets(stream, tally, advance))
    places, age = _places(repository, {each.id for each in objects if each.kind == "blob"})
    # A secret stays in a file for many versions: only the oldest one is reported.
    oldest: dict[tuple[str, str], Finding] = {}
    for finding in sorted(_findings(objects, places), key=lambda finding: (finding.path, age.get(finding.commit or "", 0))):
        oldest.setdefault((finding.secret, finding.path), finding)
    return list(oldest.values())


def in_staged(repository: str, tally: Tally, advance: Advance) -> list[Finding]:
    """The secrets in files as they are staged: whole files, without deleted ones. Raises GitFailed."""
    listed = _output(
        repository, "diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--diff-filter=d"
    )
    paths: dict[str, list[str]] = {}
    entries = iter(listed.decode("utf-8", "replace").split("\0"))
    for entry in entries:
        if entry.startswith(":"):
            new = entry.split(" ")[3]
            path = next(entries)
            if new.strip(_NO_OBJECT) and entry.split(" ")[1] != "160000":
                paths.setdefault(new, []).append(path)
    with tempfile.TemporaryFile() as wanted:
        wanted.write("".join(f"{each}\n" for each in paths).encode())
        wanted.seek(0)
        with _running(repository, "cat-file", "--batch", "--buffer", stdin=wanted) as stream:
            objects = list(_with_secrets(stream, tally, advance))
    return [Finding(found.secret, path, found.at) for each in objects for path in paths[each.id] for found in each.found]


def _with_secrets(stream: IO[bytes], tally: Tally, advance: Advance) -> Iterator[Object]:
    """The objects of `git cat-file --batch` that contain secrets. Trees are read over."""
    while header := stream.readline():
        parts = header.split()
        if len(parts) != 3:
            tally.unreadable.append(f"object {parts[0].decode()}")
            continue
        kind, left = parts[1], int(parts[2])
        pieces = _pieces(stream, left)
        if kind in _SCANNED:
            tally.files, tally.size = tally.files + (kind == b"blob"), tally.size + left
            if found := tuple(lines_of(pieces)):
                yield Object(parts[0].decode(), kind.decode(), found)
        else:
            for _ in pieces:
                pass
        stream.read(1)
        advance(1)


def _pieces(stream: IO[bytes], left: int) -> Iterator[bytes]:
    while left:
        piece = stream.read(min(left, PIECE))
        if not piece:
            raise GitFailed("git ended in the middle of an object.")
        left -= len(piece)
        yield piece


# For each blob its paths, each with the oldest commit that has it there.
_Places = dict[str, dict[str, str]]


def _places(repository: str, blobs: set[str]) -> tuple[_Places, dict[str, int]]:
    """Where these blobs are, by one walk over all commits, and a number for each commit: the lowest is the oldest.

    Merges are compared with each parent.
    """
    places: _Places = {each: {} for each in blobs}
    age: dict[str, int] = {}
    if not blobs:
        return places, age
    commit = ""
    arguments = ("log", "--all", "-m", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff", "--format=%H")
    with _running(repository, *arguments) as stream:
        tokens = _tokens(stream)
        for token in tokens:
            text = token.strip(b"\n")
            if text.startswith(b":"):
                new, path = text.split(b" ")[3].decode(), next(tokens)
                if new in places:
                    # The log is newest first, so the last one seen is the oldest.
                    places[new][path.decode("utf-8", "replace")] = commit
                    age[commit] = -len(age)
            elif text:
                commit = text.decode()
    return places, age


def _tokens(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while piece := stream.read(PIECE):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole
    if rest:
        yield rest


def _findings(objects: list[Object], places: _Places) -> Iterator[Finding]:
    for each in objects:
        for found in each.found:
            if each.kind != "blob":
                yield Finding(found.secret, f"({each.kind} message)", found.at, each.id)
            elif not places[each.id]:
                yield Finding(found.secret, f"(unreachable object {each.id})", found.at)
            for path, commit in places.get(each.id, {}).items():
                yield Finding(found.secret, path, found.at, commit)


def _environment(repository: str) -> dict[str, str]:
    """Git asks nothing, fetches nothing, and locks nothing.

    In a hook, variables name the repository and the index of the commit: they count for the repository here and for no other.
    """
    here = {name: value for name, value in os.environ.items() if repository == HERE or name not in _OF_A_HOOK}
    return here | {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def _output(repository: str, *arguments: str) -> bytes:
    with _running(repository, *arguments) as stream:
        return stream.read()


@contextlib.contextmanager
def _running(repository: str, *arguments: str, stdin: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[IO[bytes]]:
    """The output of a git command. Raises GitFailed with git's own message."""
    command = ["git", "-C", repository, *_SAFE, *arguments]
    with tempfile.TemporaryFile() as errors:
        try:
            # Fixed arguments and a path, which follows its option: nothing is interpreted by a shell.
            process = subprocess.Popen(  # noqa: S603 - see above
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=errors, env=_environment(repository), bufsize=PIECE
            )
        except FileNotFoundError:
            raise GitFailed("git is not installed, or not in PATH.") from None
        with process:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").splitlines()
            fatal = next((line for line in lines if line.startswith("fatal: ")), f"git ended with {process.returncode}.")
            raise GitFailed(f"{repository}: {fatal.removeprefix('fatal: ')}")
