"""Node programs that judge the API, installed into the virtual environment from a lock that has hashes and no addresses."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support import commands
from tests.support.processes import ROOT, without_settings
from tests.support.programs import program
from tests.support.server import Server

SOURCES = ROOT / "tests" / "conformance" / "node"
INSTALLED = Path(sys.prefix) / "conformance"
INSTALL_SECONDS = 300
SCOPES = "keys.write,usage.read,audit.read,workspace.write"


@pytest.fixture(scope="session")
def node_programs() -> Path:
    """The folder with the programs and their `node_modules`."""
    program("node", "nodejs")
    program("npm")
    # One worker installs, the others wait.
    with INSTALLED.with_suffix(".lock").open("w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        _install()
    return INSTALLED


def _install() -> None:
    lock = SOURCES / "package-lock.json"
    if not (INSTALLED / "node_modules").is_dir() or (INSTALLED / lock.name).read_bytes() != lock.read_bytes():
        shutil.rmtree(INSTALLED, ignore_errors=True)
        INSTALLED.mkdir()
        shutil.copy(SOURCES / "package.json", INSTALLED)
        shutil.copy(lock, INSTALLED)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        if done.returncode:
            shutil.rmtree(INSTALLED)
            pytest.fail(f"npm could not install the programs of {SOURCES}: {done.stderr[-2_000:]}")
    for script in SOURCES.glob("*.mjs"):
        shutil.copy(script, INSTALLED)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder and the environment of an installation with the demo's workspace."""
    folder = tmp_path_factory.mktemp("served")
    # A key that no report is signed with.
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    (folder / "github.pem").write_bytes(public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    environment = {"KEYDESK_DATABASE_URL": f"sqlite:///{folder}/keydesk.db", "KEYDESK_DEV": "1"}
    environment["KEYDESK_GITHUB_KEYS"] = str(folder / "github.pem")
    _run(environment, "demo")
    return folder, environment


@pytest.fixture(scope="session")
def served(installation: tuple[Path, dict[str, str]]) -> Iterator[tuple[str, str]]:
    """The URL of a running Keydesk with the demo's workspace, and a management key of it."""
    folder, environment = installation
    with Server(environment, folder, patient=True).running() as server:
        key = _run(environment, "management-key", "create", "--workspace", "acme", "--scopes", SCOPES, "--expires", "1d")
        yield server.url, key


@pytest.fixture(scope="session")
def gateway_token(installation: tuple[Path, dict[str, str]], served: tuple[str, str]) -> str:
    return _run(installation[1], "gateway-token", "create", "edge")


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = commands.run(arguments, without_settings() | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
