"""House rules as programs: properties of the repository itself."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from app.database.migrate import known_migrations

# Written in two halves, so that this file does not contain the text that it searches for.
REGISTRY_HOSTS = "|".join(("pypi[.]o" + "rg", "pythonho" + "sted", "registry[.]n" + "pm", "deb[.]deb" + "ian"))


def tracked(root: Path) -> list[Path]:
    """The files of the project that git tracks, without vendored ones."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [
        root / name for name in listed.split("\0") if name and not name.startswith("static/vendor/") and (root / name).is_file()
    ]


def test_the_published_contract_is_data_only(root: Path) -> None:
    assert not list((root / "graphql").rglob("*.py"))
    assert not (root / "app" / "graphql").exists()


def test_no_file_names_a_package_registry(root: Path) -> None:
    guilty = [path.name for path in tracked(root) if re.search(REGISTRY_HOSTS, path.read_text(errors="ignore"))]
    assert guilty == []


def test_every_module_says_what_it_is_for(root: Path) -> None:
    modules = [
        path for path in tracked(root) if path.suffix == ".py" and path.parts[len(root.parts)] in ("app", "client", "examples")
    ]
    assert len(modules) > 50
    silent = [
        str(path.relative_to(root))
        for path in modules
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_access_to_a_workspace_comes_from_the_one_module_that_looks(root: Path) -> None:
    """Use cases that read believe the `Access` they are given, so nothing else may make one."""
    makers = {
        str(path.relative_to(root))
        for path in tracked(root)
        if path.suffix == ".py" and path.is_relative_to(root / "app")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Access"
    }
    assert makers == {"app/tenancy/service.py"}


def test_tests_are_found_by_path_and_not_by_package(root: Path) -> None:
    assert not list((root / "tests").rglob("__init__.py"))


def test_vendored_files_are_the_ones_their_manifest_names(root: Path) -> None:
    manifests = list((root / "static" / "vendor").glob("*/vendored.toml"))
    assert {path.parent.name for path in manifests} == {
        path.name for path in (root / "static" / "vendor").iterdir() if path.is_dir()
    }
    for manifest in manifests:
        described = tomllib.loads(manifest.read_text())
        present = {path.name for path in manifest.parent.iterdir() if not path.name.startswith("LICENSE")} - {manifest.name}
        assert present == set(described)
        for name, file in described.items():
            assert file["package"] and file["version"] and file["licence"]
            assert hashlib.sha256((manifest.parent / name).read_bytes()).hexdigest() == file["sha256"], name


def test_every_make_target_in_the_readme_exists(root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", (root / "README.md").read_text(), re.M))
    assert {"run", "test"} <= named <= targets


def test_ci_runs_the_same_command_as_developers(root: Path) -> None:
    assert "make check" in (root / ".ci" / "run").read_text()


def test_migrations_are_numbered_by_time_and_none_twice(root: Path) -> None:
    assert len(known_migrations()) == len(list((root / "migrations").glob("*.py"))) >= 2


@pytest.mark.slow
def test_a_wheel_contains_everything_and_works_from_any_folder(root: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=root, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith("graphql/")]
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    names_of_paths = "paths.TEMPLATES, paths.STATIC, paths.MIGRATIONS, paths.OPERATIONS, paths.SCHEMA"
    look = f"from app import paths; print(*(p.exists() for p in ({names_of_paths})))"
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {look}; print(paths.STATIC)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert said == ["True True True True True", str(installed / "app" / "static")]
