"""The documentation is correct: settings, links, commands, codes, limits, scopes, and the gateway examples."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from app import catalogue
from app.access.actor import Actor, ActorKind, OperatorScope, Role, Scope
from app.access.policy import OPERATOR_KEYS, may
from app.api.execution import http, limits
from app.api.execution.cost import BUDGET
from app.api.execution.documents import ERRORS_TOLD, Documents
from app.api.framework.authorization import MUTATIONS
from app.api.schema import ACTIONS, core
from app.errors import MOST_FAULTS, NotAllowed, NotFound, ValidationFailed
from app.paths import DEFAULT_CATALOGUE
from app.settings import CLIENT_VARIABLES, PREFIX, Settings
from app.verification.responses import FORBIDDEN
from app.verification.verdict import Code
from keydesk_client import KeydeskMiddleware

ROOT = Path(__file__).resolve().parent.parent.parent
SETTINGS = {f"{PREFIX}{field.name.upper()}": field for field in fields(Settings)}
LONGEST_DECISION = 45


def pages() -> list[Path]:
    """Every Markdown file of the project, including uncommitted ones."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).exists()]


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)


def fenced(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual viewers generate them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its header."""
    text = re.split(rf"^#+ {re.escape(heading)}$", (ROOT / page).read_text(), flags=re.M)[1]
    lines = [line for line in re.split(r"^#", text, flags=re.M)[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def setting_sections() -> dict[str, str]:
    parts = re.split(r"^### `(\w+)`$", (ROOT / "docs" / "settings.md").read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_setting_has_its_heading_and_every_heading_its_setting() -> None:
    assert set(setting_sections()) == set(SETTINGS) | CLIENT_VARIABLES


@pytest.mark.parametrize("name", SETTINGS)
def test_the_documented_default_is_the_real_one(name: str) -> None:
    setting = SETTINGS[name]
    (written,) = re.findall(r"^Default: (.+)$", setting_sections()[name], re.M)
    assert setting.default is not MISSING
    if written == "none":
        assert setting.default in (None, ())
    else:
        value = setting.metadata["parse"](written.strip("`"))
        assert (ROOT / value if isinstance(value, Path) else value) == setting.default


@pytest.mark.parametrize("name", setting_sections())
def test_the_example_of_a_setting_is_accepted(name: str) -> None:
    (example,) = re.findall(r"^```sh\n(.+)\n```", setting_sections()[name], re.M)
    (assigned,) = shlex.split(example)
    variable, _, value = assigned.partition("=")
    assert variable == name
    Settings.load({variable: value})


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_make_target_in_a_command_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = re.findall(r"^make ([a-z-]+)", "\n".join(fenced(ROOT / page, "sh")), re.M)
    assert named and set(named) <= targets


BLOCKING = ("make run", "make demo", "keydesk serve", "python -m examples.pdf_api")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_command_that_does_not_exit_is_the_last_of_its_block_and_keydesk_has_one_name(page: Path) -> None:
    for block in [] if page.name == "CONTRIBUTING.md" else fenced(page, "sh"):
        assert ".venv/bin/keydesk" not in block
        lines = [line for line in block.splitlines() if line]
        assert not any(line.startswith(BLOCKING) for line in lines[:-1]), block


@pytest.mark.parametrize("page", ["README.md", "docs/client.md", "client/README.md"])
def test_the_client_pages_say_how_to_install_it_and_their_examples_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYDESK_GATEWAY_TOKEN", "fl_gate_x")
    assert "pip install ./client" in (ROOT / page).read_text()
    examples = [text for text in fenced(ROOT / page, "python") if 'url="http://127.0.0.1:8000"' in text and "import os" in text]
    assert examples
    for text in examples:
        made: dict[str, Any] = {"app": Starlette()}
        exec(compile(text, page, "exec"), made)
        assert made["KeydeskMiddleware"] is KeydeskMiddleware and callable(made["app"])


def test_the_shown_curl_command_matches_the_example_page_and_works_with_any_curl() -> None:
    shown = catalogue.load(DEFAULT_CATALOGUE).try_it
    assert shown.startswith("curl ") and "--json" not in shown and "Content-Type: application/json" in shown
    page = (ROOT / "examples" / "pdf_api" / "README.md").read_text()
    assert set(re.findall(r" -[a-zA-Z]\b", shown)) <= set(re.findall(r" -[a-zA-Z]\b", page))


def test_the_gateway_examples_equal_the_files() -> None:
    page = (ROOT / "docs" / "gateways.md").read_text()
    shown = re.findall(r"^\[(examples/\S+)\]\(\S+\):\n\n```\w+\n(.*?)^```", page, re.M | re.S)
    assert {name: (ROOT / name).read_text() for name, _ in shown} == dict(shown)
    gateways = [path for folder in ("nginx", "caddy", "traefik") for path in (ROOT / "examples" / folder).iterdir()]
    assert {name for name, _ in shown} == {str(path.relative_to(ROOT)) for path in gateways}


def test_the_codes_are_listed_in_order_with_their_status() -> None:
    def status(code: Code) -> str:
        if code is Code.VALID:
            return "204"
        return "403" if code in FORBIDDEN else "401"

    rows = table("docs/verification.md", "Codes")
    assert [(row[0].strip("`"), row[3]) for row in rows] == [(str(code), status(code)) for code in Code]


def test_the_documented_limits_of_graphql_are_the_real_ones() -> None:
    assert dict(table("docs/graphql.md", "Limits")) == {
        "body": f"{http.MAXIMUM_BODY // 1024} KiB",
        "levels of JSON in variables": str(http.MAXIMUM_JSON_DEPTH),
        "entries of a list, in variables or in the document": str(http.MAXIMUM_LIST),
        "characters of a number in the document": str(limits.DIGITS),
        "characters of a name in the document": str(limits.NAME),
        "tokens": f"{limits.TOKENS:,}",
        "comments": f"{limits.COMMENTS:,}",
        "operations and fragments in a document": str(limits.DEFINITIONS),
        "levels of fields": str(limits.DEPTH),
        "levels of introspection": str(limits.INTROSPECTION_DEPTH),
        "aliases": str(limits.ALIASES),
        "root fields of a query": str(limits.ROOT_FIELDS),
        "mutations in an operation": str(limits.MUTATIONS),
        "directives at one location": str(limits.DIRECTIVES),
        "comparisons of repeated fields": f"{limits.COMPARISONS:,}",
        "cost": f"{BUDGET:,}",
        "errors reported": str(ERRORS_TOLD),
        "faults of an input reported (`ValidationFailed`)": str(MOST_FAULTS),
    }


def test_the_examples_of_graphql_are_valid_and_within_the_limits() -> None:
    page = ROOT / "docs" / "graphql.md"
    inline = re.findall(r"'\{\"query\": \"(.+?)\"\}'", page.read_text())
    examples = [*fenced(page, "graphql"), *inline]
    assert len(examples) == 4
    documents = Documents(core())
    for text in examples:
        document = documents.prepare(text)
        assert document.errors == ()
        assert documents.cost_of(document, document.operation(None), {}).cost <= BUDGET


def test_the_documented_scopes_are_those_of_the_policy_with_their_mutations() -> None:
    def mutations(scope: Scope) -> set[str]:
        """The mutations that a key created by an owner may run with this scope and not without it."""
        key = Actor(ActorKind.MANAGEMENT_KEY, "mgk", "key", user_id="usr", workspace_id="wsp", scopes=frozenset({scope}))
        named = {name.removeprefix(MUTATIONS): action for name, action in ACTIONS.items() if name.startswith(MUTATIONS)}
        return {name for name, action in named.items() if action and may(key, Role.OWNER, action)}

    rows = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in table("docs/graphql.md", "Scopes")}
    assert list(rows) == [str(scope) for scope in Scope]
    for scope in Scope:
        reading = {name for implied in scope.implied - {scope} for name in rows[str(implied)]}
        assert rows[str(scope)] | reading == mutations(scope)


def test_the_documented_scopes_of_operator_keys_are_those_of_the_policy_with_their_mutations() -> None:
    rows = {row[0].strip("`"): set(re.findall(r"`([a-z]\w+)`", row[1])) for row in table("docs/provisioning.md", "Operator keys")}
    named = {name.split(".")[1]: action for name, action in ACTIONS.items() if name.startswith((MUTATIONS, "Query."))}
    assert rows == {
        str(scope): {name for name, action in named.items() if action and OPERATOR_KEYS.get(action) is scope}
        for scope in OperatorScope
    }


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("0*.md")), ids=lambda page: page.stem)
def test_a_decision_is_one_page_with_one_sentence_to_quote(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= LONGEST_DECISION
    (quote,) = re.findall(r"^> (.+)$", text, re.M)
    assert f"]({page.name}) | {quote} |" in (page.parent / "README.md").read_text()
    assert re.search(r"^Status: \w+", text, re.M)
    assert re.findall(r"^## (\w+)$", text, re.M) == ["Context", "Decision", "Consequences"]


def test_the_table_of_error_codes_is_complete() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "app/api").rglob("*.py"))
    ways = (r'Refused\(\s*\d+, "([A-Z_]+)"', r'http\.error\(\s*"([A-Z_]+)"', r'"code": "([A-Z_]+)"', r'"([A-Z_]+)" if isinstance')
    raised = {code for way in ways for code in re.findall(way, sources)} | {"BAD_USER_INPUT"}
    # Problems of the error tree that a query can have.
    raised |= {kind.code for kind in (ValidationFailed, NotAllowed, NotFound)}
    assert {row[0].strip("`") for row in table("docs/graphql.md", "Errors")} == raised


def test_the_effect_of_repeating_is_documented_for_every_mutation() -> None:
    text = re.split(r"^## Idempotency$", (ROOT / "docs/graphql.md").read_text(), flags=re.M)[1]
    assert [name for name in ACTIONS if name.startswith(MUTATIONS) and f"`{name.removeprefix(MUTATIONS)}`" not in text] == []
