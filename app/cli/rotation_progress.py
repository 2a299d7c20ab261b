"""Prints the progress of a rotation, one line for each change since the last poll."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = dict[str, Any]


class ProgressPrinter:
    """Prints every change once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._callers: dict[str, str] = {}
        self._printed: set[str] = set()

    def see(self, run: Run) -> None:
        successor = run["successor"]
        if successor["lastUsedAt"] is not None:
            self._once(f"The new key {successor['prefix']}… has been used.")
        for caller in run["callers"]:
            self._caller(caller)
        if run["readyAt"] is not None and run["state"] != "READY":
            self._once("Everyone has moved. What is left is the old key's quiet period.")
        if run["state"] == "READY":
            self._once("Ready: nobody needs the old key anymore.")

    def _caller(self, caller: dict[str, Any]) -> None:
        status = "Dismissed" if caller["dismissed"] else "Moved" if caller["moved"] else "Still on the old key"
        if self._callers.get(caller["id"]) != status:
            self._callers[caller["id"]] = status
            self._tell(f"{status}: {named(caller)}")

    def _once(self, text: str) -> None:
        if text not in self._printed:
            self._printed.add(text)
            self._tell(text)


def named(caller: dict[str, Any]) -> str:
    """`curl from 203.0.113.0/24`, without the parts that are unknown."""
    if caller["network"] == "*":
        return "callers that are not kept apart"
    return f"{caller['userAgent'] or 'an unknown program'} from {caller['network'] or 'an unknown address'}"


def callers_left(run: Run) -> list[dict[str, Any]]:
    """The callers that revoking the old key would cut off."""
    return [caller for caller in run["callers"] if not (caller["moved"] or caller["dismissed"])]
