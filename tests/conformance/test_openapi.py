"""Schemathesis sends what the published OpenAPI document allows, and what it forbids, to a running server: every answer is one that
the document describes, no request that it forbids is accepted, and none is an internal error."""

from __future__ import annotations

import subprocess
import sys
import tempfile

import pytest

from app.keys.secret import KeyClass, generate
from tests.conformance.test_caches import ask
from tests.support.processes import ROOT

RUN_SECONDS = 300
EXAMPLES = 30
UNKNOWN = generate("fl", KeyClass.LIVE)
# Names of permissions and environments are the installation's: the document cannot list them.
OF_ANY_INSTALLATION = "positive_data_acceptance"
# The method is that of the request that the gateway asks about.
ANY_METHOD = "unsupported_method"
# Its answer is the same for a secret that is none.
ALIKE_FOR_ALL = "ignored_auth"
# Without a valid signature there is nothing, whatever is sent.
HIDDEN = "ignored_auth,positive_data_acceptance,missing_required_header"
CREATE = """mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  ... on CreateApiKeyPayload { secret }
  ... on Problem { message }
} }"""

pytestmark = pytest.mark.slow


def test_verification_and_reports_of_usage(served: tuple[str, str], gateway_token: str) -> None:
    schemathesis(served[0], "/v1/verify", f"Authorization: Bearer {gateway_token}", OF_ANY_INSTALLATION)
    schemathesis(served[0], "/v1/usage", f"Authorization: Bearer {gateway_token}", OF_ANY_INSTALLATION)
    schemathesis(served[0], "/v1/forward-auth", f"X-Gateway-Token: {gateway_token}", f"{OF_ANY_INSTALLATION},{ANY_METHOD}")


def test_a_key_that_asks_about_itself(served: tuple[str, str]) -> None:
    settings = {"name": "Asks about itself", "environment": "development", "permissions": ["pdf.read"]}
    made = ask(*served, CREATE, input=settings)["createApiKey"]
    schemathesis(served[0], "/v1/self", f"X-API-Key: {made['secret']}")


def test_revocation_by_a_finder(served: tuple[str, str]) -> None:
    schemathesis(served[0], "/v1/self/revocation", f"X-API-Key: {UNKNOWN}", ALIKE_FOR_ALL)


def test_reports_of_leaked_keys(served: tuple[str, str]) -> None:
    schemathesis(served[0], "/v1/leaks", "Accept: application/json", HIDDEN)


def schemathesis(url: str, path: str, header: str, without: str | None = None) -> None:
    """Runs all checks but those `without`, with the credential in a header."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "docs" / "openapi.json"), "--url", url]
    command += ["--exclude-checks", without] if without else []
    command += ["--include-path", path, "--header", header, "--max-examples", str(EXAMPLES), "--generation-deterministic"]
    command += ["--continue-on-failure", "--no-color"]
    # It leaves a cache in the folder where it runs.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    # A credential that is refused everywhere would prove nothing.
    assert "Authentication failed" not in done.stdout, done.stdout[-6_000:]
