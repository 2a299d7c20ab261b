"""An access log as a file: compressed or not, and also while it is still being written."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_GZIP: Final = b"\x1f\x8b"


class LogFile:
    """An open log. `complete`: after its lines were read, whether it ended with a line's end and was not cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complete = True
        self._raw = path.open("rb")
        is_compressed = self._raw.peek(2).startswith(_GZIP)
        self._file: io.BufferedIOBase = gzip.GzipFile(fileobj=self._raw) if is_compressed else self._raw

    def close(self) -> None:
        self._file.close()
        self._raw.close()

    def lines(self) -> Iterator[bytes]:
        """From the beginning, without a last line that is not complete yet."""
        self._file.seek(0)
        try:
            for line in self._file:
                if not line.endswith(b"\n"):
                    self.complete = False
                    return
                yield line
        except (EOFError, gzip.BadGzipFile, zlib.error):
            self.complete = False

    @property
    def position(self) -> int:
        """How many bytes of the file were read."""
        return self._raw.tell()

    @property
    def size(self) -> int:
        return os.fstat(self._raw.fileno()).st_size
