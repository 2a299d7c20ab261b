"""The container and the hosted CI use the project's own files and commands, so that they stay up to date."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from app.health import PATHS


def dockerfile(root: Path) -> str:
    return (root / "Dockerfile").read_text()


def test_a_container_contains_what_a_wheel_contains_and_works_from_any_folder(root: Path, tmp_path: Path) -> None:
    copied = dict(re.findall(r"^COPY (?!--)(\S+) /opt/keydesk/(\S+)$", dockerfile(root), re.M))
    wheel = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied == {name: name for name in (*wheel["packages"], *wheel["force-include"])}
    assert {f"!{name}" for name in copied} <= set((root / ".dockerignore").read_text().splitlines())
    for name in copied:
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "app", "schema"]
    printed = subprocess.run(command, cwd="/", env=environment, check=True, capture_output=True, text=True).stdout
    assert printed == (root / "graphql" / "schema.graphql").read_text()


def test_a_container_installs_the_lock_as_production_does(root: Path) -> None:
    page = (root / "docs" / "operations.md").read_text()
    (written,) = re.findall(r"pip install (.+) -r requirements\.txt$", page, re.M)
    assert f"{written} -r /requirements.txt" in dockerfile(root)


def test_a_container_runs_unprivileged_and_its_health_check_has_an_existing_path(root: Path) -> None:
    assert re.search(r"^USER (?!root)\w+$", dockerfile(root), re.M)
    (address,) = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", dockerfile(root))
    assert address in PATHS


def test_hosted_ci_runs_the_required_checks(root: Path) -> None:
    workflow = (root / ".github" / "workflows" / "check.yml").read_text()
    assert re.findall(r"- run: (.+)", workflow) == [".ci/run"]


def test_commits_are_checked_with_the_locked_tools(root: Path) -> None:
    entries = re.findall(r"entry: (\S+)", (root / ".pre-commit-config.yaml").read_text())
    assert entries
    assert all(entry.startswith(".venv/bin/") for entry in entries)
