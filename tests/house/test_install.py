"""Installation depends on the repository alone: no later release of any package changes or breaks it."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCKS = ("requirements.txt", "requirements-dev.txt")


def blocks(lock: Path) -> dict[str, str]:
    """Package name → the lines that pin it."""
    return {re.split(r"==", block)[0]: block for block in re.split(r"\n(?=[a-z])", lock.read_text().strip())}


def names(requirements: list[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", Requirement(one).name).lower() for one in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_requirement_by_hash_and_names_no_index(root: Path, name: str) -> None:
    pinned = blocks(root / name)
    assert len(pinned) > 50
    assert all(re.match(r"[a-z0-9-]+==\S+", block) and "--hash=sha256:" in block for block in pinned.values())
    assert "--index" not in (root / name).read_text()


def test_the_production_lock_has_the_dependencies_and_no_development_tools(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    production, development = (blocks(root / name) for name in LOCKS)
    assert names(project["project"]["dependencies"]) <= production.keys()
    tools = names(project["dependency-groups"]["dev"]) - {"httpx"}  # litestar needs httpx too
    assert not tools & production.keys()
    assert tools <= development.keys()
    assert production.items() <= development.items()


def wheel(place: Path, name: str, version: str, *metadata: str) -> str:
    """Creates an empty package; returns its hash."""
    file = place / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            f"{info}/METADATA", "\n".join(("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""))
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def locked_commands(root: Path) -> list[str]:
    """The pip options with which the Makefile and the operations page install a lock."""
    makefile, page = (root / "Makefile").read_text(), (root / "docs/operations.md").read_text()
    locked = re.search(r"^LOCKED := (.+)$", makefile, re.M)
    assert locked and "pip install $(LOCKED) -r requirements-dev.txt" in makefile
    written = re.search(r"pip install (.+) -r requirements\.txt$", page, re.M)
    assert written
    return [locked[1], written[1]]


@pytest.mark.slow
def test_newer_releases_in_the_index_neither_break_nor_change_an_installation(root: Path, tmp_path: Path) -> None:
    index = tmp_path / "index"
    index.mkdir()
    pins = [
        ("bread", wheel(index, "bread", "1.0", "Requires-Dist: butter[salt]==1.*", "Requires-Dist: flour>=1")),
        ("butter", wheel(index, "butter", "1.0", "Provides-Extra: salt", 'Requires-Dist: salt>=1; extra == "salt"')),
        ("flour", wheel(index, "flour", "1.0")),
        ("salt", wheel(index, "salt", "1.0")),
    ]
    lock = tmp_path / "lock.txt"
    lock.write_text("".join(f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in pins))
    for name, _ in pins:
        wheel(index, name, "1.5")
        wheel(index, name, "2.0")
    venv.create(tmp_path / "fresh", with_pip=True)
    pip = [str(tmp_path / "fresh/bin/python"), "-m", "pip"]
    for options in locked_commands(root):
        subprocess.run(
            [
                *pip,
                "install",
                "--isolated",
                "--force-reinstall",
                "--no-index",
                "--find-links",
                str(index),
                *shlex.split(options),
                "-r",
                str(lock),
            ],
            check=True,
            capture_output=True,
        )
        listed = subprocess.run([*pip, "list", "--format=json", "--disable-pip-version-check"], check=True, capture_output=True)
        installed = {one["name"]: one["version"] for one in json.loads(listed.stdout)}
        assert {name: installed[name] for name, _ in pins} == dict.fromkeys((name for name, _ in pins), "1.0")
    subprocess.run([*pip, "check"], check=True, capture_output=True)


def test_the_installed_packages_satisfy_each_others_requirements() -> None:
    asked = subprocess.run([sys.executable, "-m", "pip", "check", "--disable-pip-version-check"], capture_output=True, text=True)
    assert (asked.returncode, asked.stdout) == (0, "No broken requirements found.\n")
