"""The client's distribution: its contents, its dependencies, and the examples in its documentation."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from starlette.middleware.cors import CORSMiddleware

import keydesk_client
from keydesk_client import KeydeskMiddleware

TYPED = """
from fastapi import FastAPI
from litestar import Litestar
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from keydesk_client import PUBLIC, KeydeskMiddleware

URL, TOKEN = "http://127.0.0.1:8000", "token"
one = KeydeskMiddleware(Starlette(), url=URL, token=TOKEN, permissions={"GET /": PUBLIC, "GET /pdfs": "pdf.read"})
two = KeydeskMiddleware(CORSMiddleware(Starlette()), url=URL, token=TOKEN, permissions={})
three = CORSMiddleware(KeydeskMiddleware(Litestar([]), url=URL, token=TOKEN))
app = FastAPI()
app.add_middleware(KeydeskMiddleware, url=URL, token=TOKEN, permissions={"GET /": PUBLIC, "GET /pdfs": "pdf.read"})
"""
DOCUMENTS = ["docs/client.md", "client/README.md"]


@pytest.mark.slow
def test_the_wheel_contains_the_typed_module_its_license_and_nothing_of_the_server(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root / "client", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("keydesk_client-*.whl")
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"keydesk_client"}
    assert "keydesk_client/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert re.findall(r"^Requires-Dist: (.*)$", metadata, re.M) == ["httpx<1,>=0.28.1"]


def test_it_is_imported_without_any_framework_and_without_the_server() -> None:
    look = "import sys, keydesk_client; print([name for name in sys.modules if name.split('.')[0] in sys.argv[1:]])"
    unwanted = ["app", "starlette", "fastapi", "litestar", "piccolo", "strawberry", "msgspec", "pydantic"]
    said = subprocess.run([sys.executable, "-c", look, *unwanted], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"


def test_every_public_name_is_there_and_is_documented(root: Path) -> None:
    text = (root / "docs/client.md").read_text()
    for name in keydesk_client.__all__:
        assert hasattr(keydesk_client, name)
        assert re.search(rf"\b{name}\b", text), name


def test_every_option_is_documented_with_its_default(root: Path) -> None:
    text = (root / "docs/client.md").read_text()
    documented = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+?)`? \|", text, re.M))
    options = list(inspect.signature(KeydeskMiddleware).parameters.values())[1:]
    expected = {option.name: "required" if option.default is option.empty else str(option.default) for option in options}
    assert documented == expected


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_python_example_of_the_documentation_runs(root: Path, document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYDESK_GATEWAY_TOKEN", "a-gateway-token-of-the-documentation")
    blocks = re.findall(r"^```python\n(.*?)^```", (root / document).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {"__name__": "documentation"}
        exec(compile(block, document, "exec"), names)
        assert isinstance(names.get("app"), KeydeskMiddleware | CORSMiddleware | None)


@pytest.mark.slow
def test_apps_of_every_framework_are_accepted_by_a_type_checker(root: Path, tmp_path: Path) -> None:
    (tmp_path / "typed.py").write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(tmp_path / "typed.py")]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout
    assert said == "Success: no issues found in 1 source file\n"
