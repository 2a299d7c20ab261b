"""Keydesk in a process, a person in Chromium, and an API that Keydesk protects. Each test begins with its own first owner."""

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
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.chromium import launched
from tests.support.processes import ROOT
from tests.support.server import Server, free_port

EMAIL = "ada@example.com"
PASSWORD = "granite otter velvet 91"
VIOLATIONS = ("Content Security Policy", "Refused to", "Uncaught")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@dataclass
class Desk:
    """A running Keydesk with a database of its own, and its command line."""

    server: Server
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.server.url

    def run(self, *arguments: str, stdin: str = "") -> str:
        """`keydesk …` beside the running server; its standard output."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYDESK_")}
        command = [sys.executable, "-m", "app", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=kept | self.environment, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def graphql(self, token: str, operation: str, /, **given: Any) -> Any:
        """A published operation by a management key; the answer of its one root field."""
        query = Path(ROOT, "graphql", "operations", f"{operation}.graphql").read_text(encoding="utf-8")
        asked = {"query": query, "variables": {"input": given} if "$input" in query else given}
        answer = httpx.post(f"{self.url}/graphql", json=asked, headers={"authorization": f"Bearer {token}"}).json()
        assert "errors" not in answer, answer
        (found,) = answer["data"].values()
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    environment = {"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db", "KEYDESK_LOG_LEVEL": "DEBUG"}
    with Server(environment, tmp_path).running() as server:
        yield Desk(server, environment)


@dataclass
class Person:
    """Somebody in front of a browser. `complaints` is what the browser said was wrong with our pages."""

    context: BrowserContext
    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def in_front_of(cls, browser: Browser, url: str, **options: Any) -> Person:
        context = browser.new_context(**options)
        found = cls(context, context.new_page(), url)
        found.page.on("console", lambda message: found._hear(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
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
        self.press("Begin")
        self.page.wait_for_url("**/w/**")

    def create_key(self, name: str, preset: str = "Production") -> str:
        """Through the form, its review and to the secret, which is answered."""
        self.page.wait_for_load_state()
        slug = self.page.url.split("/w/")[1].split("/")[0]
        self.open(f"/w/{slug}/settings/api-keys/new")
        self.page.get_by_role("radio", name=preset).first.check()
        self.fill(name=name)
        self.press("Review")
        self.press("Create API key")
        self.page.get_by_text("is ready").wait_for()
        return (self.page.locator("#secret").text_content() or "").strip()

    def _hear(self, text: str) -> None:
        if any(words in text for words in VIOLATIONS):
            self.complaints.append(text)

    def _watch(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:", "about:")):
            self.complaints.append(f"asked another server: {url}")


@pytest.fixture
def ada(chromium: Browser, desk: Desk) -> Iterator[Person]:
    """The first owner, signed in. At the end nothing was wrong with any page."""
    person = Person.in_front_of(chromium, desk.url)
    person.set_up(desk.server.set_up_link())
    yield person
    person.context.close()
    assert person.complaints == []


@pytest.fixture
def pdf_api(desk: Desk, tmp_path: Path) -> Iterator[str]:
    """The example API behind Keydesk; its address."""
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
        process.wait(15)


class Application:
    """A program that uses an API key, as its gateway sees it."""

    def __init__(self, desk: Desk, token: str, name: str, ip: str, secret: str) -> None:
        self._desk, self._token, self._name, self._ip, self.secret = desk, token, name, ip, secret

    def calls(self) -> str:
        """One request; the verdict."""
        asked = {"key": self.secret, "permission": "pdf.read", "ip": self._ip, "userAgent": f"{self._name}/1.0"}
        headers = {"authorization": f"Bearer {self._token}"}
        return str(httpx.post(f"{self._desk.url}/v1/verify", json=asked, headers=headers).json()["code"])


@pytest.fixture
def gateway(desk: Desk) -> str:
    return desk.run("gateway-token", "create", "api")


def curl(*arguments: str) -> tuple[int, bytes]:
    """Status and body of what `curl` asks."""
    command = ["curl", "-s", "-w", "\n%{http_code}", *arguments]
    body, _, status = subprocess.run(command, capture_output=True, check=True, timeout=30).stdout.rpartition(b"\n")
    return int(status), body


def make_pdf(api: str, secret: str) -> tuple[int, bytes]:
    """A PDF for this key: what the API answered, and if it made one, the PDF itself."""
    asked = json.dumps({"title": "Invoice 42", "lines": ["One otter, velvet", "Total: 91"]})
    return curl("-X", "POST", f"{api}/pdfs", "-H", f"X-API-Key: {secret}", "-H", "Content-Type: application/json", "-d", asked)


def _wait(url: str, within_seconds: float = 20) -> None:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(url, timeout=2)
            return
        time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")
