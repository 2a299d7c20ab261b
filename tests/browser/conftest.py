"""Keydesk in a process, a user in Chromium, and an API that Keydesk protects. Each test starts with its own first owner."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from tests.support import commands
from tests.support.chromium import launched
from tests.support.processes import ROOT, without_settings
from tests.support.server import Server, free_port

EMAIL = "ada@example.com"
PASSWORD = "granite otter velvet 91"
# A generous limit, not a guarantee: a busy machine is slow.
PATIENCE_SECONDS = 60
expect.set_options(timeout=PATIENCE_SECONDS * 1000)
VIOLATIONS = ("Content Security Policy", "Refused to", "Uncaught")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@dataclass
class Desk:
    """A running Keydesk with its own database, and its command line."""

    server: Server
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.server.url

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Runs `keydesk …` beside the running server and returns its standard output."""
        done = commands.run(arguments, without_settings() | self.environment, stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def graphql(self, token: str, operation: str, /, **given: Any) -> Any:
        """Runs a published operation with a management key and returns its only root field."""
        query = Path(ROOT, "graphql", "operations", f"{operation}.graphql").read_text(encoding="utf-8")
        asked = {"query": query, "variables": {"input": given} if "$input" in query else given}
        answer = httpx.post(
            f"{self.url}/graphql", json=asked, headers={"authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS
        ).json()
        assert "errors" not in answer, answer
        (found,) = answer["data"].values()
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    environment = {"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db", "KEYDESK_LOG_LEVEL": "DEBUG"}
    with Server(environment, tmp_path, patient=True).running() as server:
        yield Desk(server, environment)


@dataclass
class Person:
    """A user in a browser. `complaints` are the errors that the browser reported about our pages; `questions` are what its
    dialogs asked before a page was left, `leaves` the user's answer to them."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    leaves: bool = True

    @classmethod
    def open_browser(cls, browser: Browser, url: str, **options: Any) -> Person:
        context = browser.new_context(**options)
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        found = cls(context, context.new_page(), url)
        found.page.on("console", lambda message: found._on_console(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("dialog", found._answer)
        found.page.on("request", lambda request: found._watch(request.url))
        return found

    def open(self, path: str) -> None:
        self.page.goto(path if path.startswith("http") else self.url + path)

    def fill(self, **fields: str) -> None:
        for label, text in fields.items():
            self.page.locator(f"[name={label}]").fill(text)

    def press(self, words: str) -> None:
        self.page.get_by_role("button", name=words, exact=True).click()

    def follow(self, words: str) -> None:
        self.page.get_by_role("link", name=words, exact=True).first.click()

    def set_up(self, link: str, workspace: str = "Acme PDF") -> None:
        self.open(link)
        self.fill(name="Ada Example", email=EMAIL, password=PASSWORD, workspace=workspace)
        self.press("Create workspace")
        self.page.wait_for_url("**/w/**")

    def create_key(self, name: str, preset: str = "Production") -> str:
        """Creates a key through the form, and returns its secret."""
        self.page.wait_for_load_state()
        slug = self.page.url.split("/w/")[1].split("/")[0]
        self.open(f"/w/{slug}/settings/api-keys/new")
        self.page.get_by_role("radio", name=preset).first.check()
        self.fill(name=name)
        self.press("Create API key")
        self.page.get_by_text("is ready").wait_for()
        return (self.page.locator("#secret").text_content() or "").strip()

    def _on_console(self, text: str) -> None:
        if any(words in text for words in VIOLATIONS):
            self.complaints.append(text)

    def _answer(self, dialog: Dialog) -> None:
        self.questions.append(f"{dialog.type}: {dialog.message}".rstrip(": "))
        if self.leaves:
            dialog.accept()
        else:
            dialog.dismiss()

    def _watch(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:", "about:")):
            self.complaints.append(f"asked another server: {url}")


@pytest.fixture
def ada(chromium: Browser, desk: Desk) -> Iterator[Person]:
    """The first owner, signed in. Fails at the end if the browser reported an error on any page."""
    person = Person.open_browser(chromium, desk.url)
    person.set_up(desk.server.set_up_link())
    yield person
    person.context.close()
    assert person.complaints == []


@pytest.fixture
def pdf_api(desk: Desk, tmp_path: Path) -> Iterator[str]:
    """Runs the example API behind Keydesk and returns its address."""
    token = desk.run("gateway-token", "create", "pdf-api")
    port = free_port()
    own = {"KEYDESK_URL": desk.url, "KEYDESK_GATEWAY_TOKEN": token, "PDF_API_PORT": str(port)}
    with (tmp_path / "pdf_api.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.pdf_api"], cwd=ROOT, env=os.environ | own, stdout=log, stderr=log
        )
    try:
        _wait(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


class Application:
    """A program that uses an API key, as a gateway sees it."""

    def __init__(self, desk: Desk, token: str, name: str, ip: str, secret: str, *, permission: str = "pdf.read") -> None:
        self._desk, self._token, self._name, self._ip, self.secret = desk, token, name, ip, secret
        self._permission = permission

    def calls(self) -> str:
        """Makes one request and returns the verdict."""
        return str(self._answer()["code"])

    def refusal(self) -> str:
        """Makes one request, which is refused, and returns its id."""
        answer = self._answer()
        assert answer["valid"] is False
        return str(answer["requestId"])

    def _answer(self) -> Any:
        """A busy machine may answer 503 for a moment; then the request is repeated."""
        asked = {"key": self.secret, "permission": self._permission, "ip": self._ip, "userAgent": f"{self._name}/1.0"}
        headers = {"authorization": f"Bearer {self._token}"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = httpx.post(f"{self._desk.url}/v1/verify", json=asked, headers=headers, timeout=PATIENCE_SECONDS)
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer.json()
            time.sleep(0.2)


@pytest.fixture
def gateway(desk: Desk) -> str:
    return desk.run("gateway-token", "create", "api")


def curl(*arguments: str) -> tuple[int, bytes]:
    """The status and body of a request with `curl`."""
    command = ["curl", "-s", "-w", "\n%{http_code}", *arguments]
    body, _, status = subprocess.run(command, capture_output=True, check=True, timeout=PATIENCE_SECONDS).stdout.rpartition(b"\n")
    return int(status), body


def make_pdf(api: str, secret: str) -> tuple[int, bytes]:
    """Requests a PDF with this key: the API's answer and, if it created one, the PDF."""
    asked = json.dumps({"title": "Invoice 42", "lines": ["One otter, velvet", "Total: 91"]})
    return curl("-X", "POST", f"{api}/pdfs", "-H", f"X-API-Key: {secret}", "-H", "Content-Type: application/json", "-d", asked)


def _wait(url: str, within_seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, timeout=10)
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
