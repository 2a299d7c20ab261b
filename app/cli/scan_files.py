"""Where `keydesk scan` looks for keys outside of git: files, folders and stdin."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from app.keys.scanning import PIECE, lines_of

STDIN: Final = "-"
_NOT_ENTERED: Final = ".git"


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret and where it was found. `commit`: the first commit that contains it there; None outside of git, and for what no
    commit contains."""

    secret: str = field(repr=False)
    path: str
    line: int
    commit: str | None = None


@dataclass(slots=True)
class Tally:
    """What was read, and what could not be."""

    files: int = 0
    size: int = 0
    unreadable: list[str] = field(default_factory=list)


Advance = Callable[[int], None]


def regular_files(paths: Iterable[str], tally: Tally) -> list[tuple[str, int]]:
    """Every regular file under these paths, with its size, in a fixed order.

    Symbolic links below a path are not followed, so no loop is entered and nothing outside is read; `.git` is left to `--git`.
    """
    found: list[tuple[str, int]] = []
    for path in dict.fromkeys(paths):
        if not Path(path).is_dir():
            found += _regular(path, tally, os.stat)
            continue
        for folder, folders, names in os.walk(path, onerror=lambda error: tally.unreadable.append(_shown(error.filename))):
            folders[:] = sorted(name for name in folders if name != _NOT_ENTERED)
            for name in sorted(names):
                found += _regular(f"{folder}/{name}", tally, os.lstat)
    return found


def in_files(files: Iterable[tuple[str, int]], tally: Tally, advance: Advance) -> Iterator[Finding]:
    for path, size in files:
        try:
            with Path(path).open("rb", buffering=0) as file:
                for found in lines_of(_pieces(file, tally)):
                    yield Finding(found.secret, _shown(path), found.at)
            tally.files += 1
        except OSError:
            tally.unreadable.append(_shown(path))
        advance(size)


def in_stream(stream: BinaryIO, tally: Tally) -> Iterator[Finding]:
    """The secrets in stdin."""
    tally.files += 1
    for found in lines_of(_pieces(stream, tally)):
        yield Finding(found.secret, "stdin", found.at)


def _regular(path: str, tally: Tally, look: Callable[[str], os.stat_result]) -> list[tuple[str, int]]:
    """The file if it is a regular one: reading a pipe or a device might never end."""
    try:
        state = look(path)
    except OSError:
        tally.unreadable.append(_shown(path))
        return []
    return [(path, state.st_size)] if stat.S_ISREG(state.st_mode) else []


def _pieces(file: BinaryIO, tally: Tally) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        tally.size += len(piece)
        yield piece


def _shown(path: object) -> str:
    """A path as text that can be printed, whatever bytes its name consists of."""
    return os.fsencode(str(path)).decode("utf-8", "replace")
