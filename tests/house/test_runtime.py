"""Pure code gets the catalogue and the peppers as arguments: only code that does input or output reads the open runtime."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PARTS: Final = {"catalogue.current", "peppers.current", "runtime.current"}
# Transports render what a request asks for, and the modules that hold a part of the runtime hand it out.
TRANSPORTS: Final = {"api", "cli", "verification", "web"}
HOLDERS: Final = {
    "app/audit/checkpoints.py", "app/catalogue.py", "app/database/__init__.py", "app/journal/file.py", "app/mail.py",
    "app/provisioning/self_service.py", "app/usage/log.py", "app/webhooks/sender.py",
}  # fmt: skip


def test_no_function_but_use_cases_stores_and_transports_reads_the_runtime(root: Path) -> None:
    readers = {
        f"{path.relative_to(root)}: {name}"
        for path in (root / "app").rglob("*.py")
        if path.parts[len(root.parts) + 1] not in TRANSPORTS and path.name not in ("service.py", "store.py")
        for name in _readers(ast.parse(path.read_text()), "module level")
    }
    assert {each for each in readers if each.partition(":")[0] not in HOLDERS} == set()
    assert {each.partition(":")[0] for each in readers} == HOLDERS


def _readers(node: ast.AST, function: str | None) -> Iterator[str]:
    """The names of the functions that read a part of the runtime, without coroutines: those are use cases."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and function and ast.unparse(child.func) in PARTS:
            yield function
        inside = {ast.FunctionDef: getattr(child, "name", None), ast.AsyncFunctionDef: None}.get(type(child), function)
        yield from _readers(child, inside)
