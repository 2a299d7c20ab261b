"""The metrics of all workers together, in files that they share; any worker answers `/metrics` for all of them.

This is prometheus_client's mode for several processes with one difference: a worker's files are named by its number and not by
its process, so the one that replaces it counts on in them, and they do not become more.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Metric, ProcessCollector, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
_folder: Path | None = None
_parent = 0
# 0 is the parent, which counts nothing.
_number = 0


@contextlib.contextmanager
def shared() -> Iterator[None]:
    """Shares the metrics that are created during the block with the processes forked in it. Call it before `app.metrics` is
    imported."""
    global _folder, _parent
    _parent = os.getpid()
    with tempfile.TemporaryDirectory(prefix="keydesk-metrics-") as folder:
        _folder, os.environ[_VARIABLE] = Path(folder), folder
        values.ValueClass = values.MultiProcessValue(lambda: _number)  # type: ignore[no-untyped-call]
        yield


def enter(number: int) -> None:
    """This process is the worker of this number from now on."""
    global _number
    _number = number
    if _folder is not None:
        (_folder / f"{number}.pid").write_text(str(os.getpid()))


def leave() -> None:
    """Called by a worker that ends: if the parent has died, nobody else removes the files."""
    if _folder is not None and os.getppid() != _parent:
        shutil.rmtree(_folder, ignore_errors=True)


def latest() -> bytes:
    """The metrics as Prometheus text."""
    if _folder is None:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    registry.register(MultiProcessCollector(None, str(_folder)))  # type: ignore[no-untyped-call]
    registry.register(_Processes(_folder))
    return generate_latest(registry)


class _Processes(Collector):
    """The metrics `process_*` of each worker, with its number as the label `worker`: their limits are per process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        found: dict[str, Metric] = {}
        for path in sorted(self._folder.glob("*.pid")):
            pid = path.read_text()
            for metric in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                known = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                for sample in metric.samples:
                    known.add_sample(sample.name, {"worker": path.stem}, sample.value)
        return found.values()
