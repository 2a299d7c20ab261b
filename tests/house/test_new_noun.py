"""A toy noun, folders, is added to a copy of the project: what ARCHITECTURE names is all that has to be edited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

TOY: Final = Path(__file__).with_name("toy")
# Each existing file that is edited: the text that is looked for, and what takes its place.
EDITS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "app/nouns.py": (
        ("from app.management_keys.noun", "from app.folders.noun import NOUN as _FOLDERS\nfrom app.management_keys.noun"),
        ("    _CALENDAR,\n", "    _CALENDAR,\n    _FOLDERS,\n"),
    ),
    "pyproject.toml": (('"alerts | calendar"', '"alerts | calendar | folders"'),),
    "app/access/policy.py": (
        ("    READ_AUDIT = auto()\n", "    READ_AUDIT = auto()\n    READ_FOLDERS = auto()\n    CREATE_FOLDER = auto()\n"),
        (
            "    Action.READ_AUDIT: ",
            "    Action.READ_FOLDERS: Rule(Role.VIEWER, Scope.KEYS_READ, _READ),\n"
            "    Action.CREATE_FOLDER: Rule(Role.EDITOR, Scope.KEYS_WRITE),\n"
            "    Action.READ_AUDIT: ",
        ),
    ),
    "app/api/schema.py": (
        ("from app.api.management_keys import", "from app.api.folders import FolderMutation\nfrom app.api.management_keys import"),
        ("    WebhookMutation,\n):", "    WebhookMutation,\n    FolderMutation,\n):"),
    ),
    "app/web/dashboard.py": (
        ("    keys,\n", "    keys,\n    folders,\n"),
        ("    *keys.HANDLERS,\n", "    *keys.HANDLERS,\n    *folders.HANDLERS,\n"),
    ),
    "app/web/presentation/navigation.py": (
        (
            '    Place("Members", ',
            '    Place("Folders", "/w/{slug}/settings/folders", "Settings", requires=Action.READ_FOLDERS),\n    Place("Members", ',
        ),
    ),
    "docs/graphql.md": (
        ("| `keys.write` | the same | ", "| `keys.write` | the same | `createFolder`, "),
        ("## Idempotency\n", "## Idempotency\n\n`createFolder` creates another folder each time.\n"),
    ),
    "tests/web/test_parity.py": (
        (
            '    "/w/{slug}/settings/workspace": ',
            '    "/w/{slug}/settings/folders": ["createFolder"],\n    "/w/{slug}/settings/workspace": ',
        ),
    ),
}
CHECKED: Final = (
    "tests/api/test_folders.py", "tests/house/test_nouns.py", "tests/house/test_tables.py", "tests/web/test_parity.py",
    "tests/docs", "tests/api/test_schema.py", "tests/api/test_authorization.py", "tests/api/test_policy.py",
    "tests/backups/test_backups.py",
)  # fmt: skip


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """The project with the toy in it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (root / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, tmp_path / name)
    for name, edits in EDITS.items():
        text = (tmp_path / name).read_text()
        for wanted, instead in edits:
            assert text.count(wanted) == 1, (name, wanted)
            text = text.replace(wanted, instead)
        (tmp_path / name).write_text(text)
    shutil.copytree(TOY, tmp_path, dirs_exist_ok=True)
    (tmp_path / "app" / "folders" / "__init__.py").write_text('"""Folders of a workspace."""\n')
    # Some tests ask git which files there are.
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "git", "add", "-A")
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """What the command prints. Fails the test unless it ends well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KEYDESK_", "PYTEST_"))}
    done = subprocess.run(command, cwd=folder, env=kept | {"PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-3_000:]
    return done.stdout


def test_the_edited_files_are_those_that_architecture_names(root: Path) -> None:
    named = re.findall(r"^\| `([\w./]+)` \|", (root / "ARCHITECTURE.md").read_text(), re.M)
    assert set(named) == EDITS.keys() and len(EDITS) <= 8


@pytest.mark.slow
def test_a_new_noun_needs_nothing_else(copy: Path) -> None:
    schema = run(copy, sys.executable, "-m", "app", "schema")
    assert "createFolder(" in schema and "Requires the scope `keys.write`." in schema
    (copy / "graphql" / "schema.graphql").write_text(schema)
    run(copy, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHECKED)
    run(copy, str(Path(sys.executable).with_name("lint-imports")))
