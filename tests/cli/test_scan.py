"""`keydesk scan`: what it finds in files, git and stdin, what it says of it, and that it never shows or sends a secret."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from app.access.actor import Scope
from app.cli.scan_files import Tally, in_files, regular_files
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.leak_digest import sha256_of
from app.keys.secret import generate, prefix_of
from tests.cli.conftest import Keydesk
from tests.cli.test_rotate_refusals import management_key
from tests.conftest import Team, make_key
from tests.support.processes import ROOT
from tests.support.server import Server

OFFLINE = Keydesk({})


@dataclass(frozen=True)
class Repository:
    """A git repository with an identity of its own, whatever the machine's configuration is."""

    path: Path

    def git(self, *arguments: str) -> str:
        environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *arguments], cwd=self.path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, message: str, **files: str | None) -> str:
        """Writes these files (None deletes one) and returns the commit's id."""
        for name, content in files.items():
            target = self.path / name
            target.unlink() if content is None else target.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "repository")
    made.path.mkdir()
    made.git("init", "-q", "-b", "main")
    return made


def scanned(*arguments: str | Path, stdin: str = "", code: int, by: Keydesk = OFFLINE) -> list[dict[str, Any]]:
    done = by.run("scan", *map(str, arguments), "--format", "json", stdin=stdin)
    assert done.returncode == code, done
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    return found


def places(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(each["path"], each["line"]) for each in found]


def test_keys_in_files_are_found_with_path_line_and_prefix_and_never_shown(tmp_path: Path) -> None:
    secret, other = generate("fl", "live"), generate("acme", "test")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".env").write_text(f"A=1\nKEY={secret}\n")
    (tmp_path / "program.bin").write_bytes(b"\x7fELF\0\0\xff" * 50 + other.encode() + b"\0")
    for format in ("text", "json", "sarif"):
        done = OFFLINE.run("scan", str(tmp_path), "--format", format)
        assert done.returncode == 1
        assert prefix_of(secret) in done.stdout and prefix_of(other) in done.stdout
        for each in (secret, other):
            assert each[len(prefix_of(each)) :][:8] not in done.stdout + done.stderr
    found = scanned(tmp_path, code=1)
    assert places(found) == [(str(tmp_path / "deep" / ".env"), 2), (str(tmp_path / "program.bin"), 1)] or places(found) == [
        (str(tmp_path / "program.bin"), 1),
        (str(tmp_path / "deep" / ".env"), 2),
    ]
    assert {each["status"] for each in found} == {"NOT_ASKED"}


def test_nothing_found_ends_with_0_and_wrong_usage_with_2(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("nothing")
    done = OFFLINE.run("scan", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No key found in 1 file, 0.0 MB.\n")
    assert OFFLINE.refused("scan", code=2).startswith("Name files or folders")
    assert "does not exist" in OFFLINE.refused("scan", str(tmp_path / "none"), code=2)
    assert OFFLINE.refused("scan", "--git", "--staged", code=2) == "Choose --git or --staged."
    assert OFFLINE.refused("scan", "-", "--git", code=2) == "stdin is no git repository."
    assert "--revoke needs" in OFFLINE.refused("scan", str(tmp_path), "--revoke", "--yes", code=2)
    assert "not a git repository" in OFFLINE.refused("scan", "--git", str(tmp_path), code=2)
    assert "Set KEYDESK_SERVER" in OFFLINE.refused("scan", str(tmp_path), "--check", "server", code=2)
    assert "Set KEYDESK_SERVER" in OFFLINE.refused("scan", str(tmp_path), "--check", "server", "--revoke", "--yes", code=2)


def test_stdin_is_searched() -> None:
    secret = generate("fl", "live")
    assert places(scanned("-", stdin=f"one\ntwo {secret}\n", code=1)) == [("stdin", 2)]
    assert scanned("-", stdin="one\n", code=0) == []


def test_symbolic_links_pipes_and_git_folders_are_not_entered(tmp_path: Path) -> None:
    secret = generate("fl", "live")
    (tmp_path / "outside").write_text(secret)
    inside = tmp_path / "inside"
    (inside / ".git").mkdir(parents=True)
    (inside / ".git" / "packed").write_text(secret)
    (inside / "loop").symlink_to(inside)
    (inside / "link").symlink_to(tmp_path / "outside")
    (inside / "dangling").symlink_to(tmp_path / "none")
    os.mkfifo(inside / "pipe")
    assert scanned(inside, code=0) == []
    assert places(scanned(inside / "link", code=1)) == [(str(inside / "link"), 1)]


def test_a_file_that_cannot_be_read_is_named_and_is_not_an_all_clear(tmp_path: Path) -> None:
    tally = Tally()
    assert list(in_files([(str(tmp_path / "gone"), 10)], tally, lambda _: None)) == []
    assert tally.unreadable == [str(tmp_path / "gone")]
    if os.geteuid():
        (tmp_path / "closed").write_text("x")
        (tmp_path / "closed").chmod(0)
        assert OFFLINE.run("scan", str(tmp_path)).returncode == 2


def test_a_file_name_that_is_no_text_does_not_stop_the_scan(tmp_path: Path) -> None:
    secret = generate("fl", "live")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")).write_text(secret)
    assert len(regular_files([str(tmp_path)], Tally())) == 1
    assert [each["line"] for each in scanned(tmp_path, code=1)] == [1]


def test_a_secret_in_a_path_is_masked_too(tmp_path: Path) -> None:
    secret = generate("fl", "live")
    (tmp_path / f"{secret}.txt").write_text(secret)
    for format in ("text", "json", "sarif"):
        assert secret not in unquote(OFFLINE.run("scan", str(tmp_path), "--format", format).stdout)


def test_git_history_shows_the_first_commit_of_a_file_that_was_deleted_since(repository: Repository) -> None:
    secret, said, forgotten = (generate("fl", "live") for _ in range(3))
    repository.commit("start", readme="hello\n")
    leak = repository.commit("leak", env=f"A=1\nKEY={secret}\n")
    repository.commit("more", env=f"A=1\nB=2\nKEY={secret}\n")
    repository.commit("moved", env=None, settings=f"{secret}\n")
    message = repository.commit(f"the key was {said}", settings=None)
    repository.commit("to be forgotten", lost=f"\n\n{forgotten}\n")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    blob = repository.git("rev-parse", "HEAD@{1}:lost")
    found = {(each["path"], each["line"]): each["commit"] for each in scanned("--git", repository.path, code=1)}
    (line,) = (line for path, line in found if path == "(commit message)")
    moved = repository.git("log", "--format=%H", "--diff-filter=A", "--", "settings")
    assert found == {
        ("env", 2): leak,
        ("settings", 1): moved,
        ("(commit message)", line): message,
        (f"(unreachable object {blob})", 3): None,
    }


def test_git_history_includes_what_only_a_merge_added_and_other_branches(repository: Repository) -> None:
    secret, other = generate("fl", "live"), generate("fl", "test")
    repository.commit("start", a="1")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("side", **{"file with\ttab": f"{other}\n"})
    repository.git("checkout", "-q", "main")
    repository.commit("main", b="2")
    repository.git("merge", "-q", "--no-ff", "--no-commit", "side")
    merge = repository.commit("merge", evil=f"{secret}\n")
    found = {each["path"]: each["commit"] for each in scanned("--git", repository.path, code=1)}
    assert found.keys() == {"evil", "file with\ttab"}
    assert found["evil"] == merge


def test_what_is_staged_is_searched_and_not_the_working_tree(repository: Repository) -> None:
    staged, edited = generate("fl", "live"), generate("fl", "live")
    (repository.path / "a.py").write_text(f"\nKEY = '{staged}'\n")
    repository.git("add", "a.py")
    (repository.path / "a.py").write_text(f"{edited}\n")
    found = scanned("--staged", repository.path, code=1)
    assert [(each["path"], each["line"], each["prefix"]) for each in found] == [("a.py", 2, prefix_of(staged))]
    repository.git("commit", "-q", "-m", "in spite of it")
    assert scanned("--staged", repository.path, code=0) == []
    repository.git("rm", "-q", "--cached", "a.py")
    assert scanned("--staged", repository.path, code=0) == []


def test_as_a_hook_it_refuses_what_is_committed_and_nothing_else_that_is_staged(repository: Repository) -> None:
    """`git commit FILE` commits an index of its own, which the hook's variables name."""
    repository.commit("start", clean="1", leaking="2")
    hook = repository.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{sys.executable}' -m app scan --staged\n")
    hook.chmod(0o755)
    (repository.path / "clean").write_text("3")
    (repository.path / "leaking").write_text(generate("fl", "live"))
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "only this", "clean")
    with pytest.raises(AssertionError, match="1 key found"):
        repository.git("commit", "-q", "-m", "leak", "leaking")
    assert repository.git("log", "-1", "--format=%s") == "only this"


def test_a_hooks_variables_do_not_count_for_a_repository_that_is_named(repository: Repository, tmp_path: Path) -> None:
    repository.commit("leak", a=generate("fl", "live"))
    in_hook = Keydesk({"GIT_DIR": str(tmp_path / "elsewhere"), "GIT_INDEX_FILE": str(tmp_path / "none")})
    assert [each["path"] for each in scanned("--git", repository.path, code=1, by=in_hook)] == ["a"]


def test_sarif_has_what_version_2_1_0_requires(tmp_path: Path) -> None:
    """The required properties of the schema and those that code hosts need to show a result."""
    (tmp_path / "a b.txt").write_text(f"x\n{generate('fl', 'live')}\n")
    log = json.loads(OFFLINE.run("scan", str(tmp_path), "--format", "sarif").stdout)
    assert (log["version"], log["$schema"].rsplit("/", 1)[1]) == ("2.1.0", "sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "Keydesk" and all(isinstance(rule["id"], str) for rule in driver["rules"])
    assert all(isinstance(each["executionSuccessful"], bool) for each in run["invocations"])
    (result,) = run["results"]
    assert set(result) <= {
        "ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints", "properties"
    }  # fmt: skip
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["level"] in ("none", "note", "warning", "error")
    assert isinstance(result["message"]["text"], str)
    (location,) = result["locations"]
    place = location["physicalLocation"]
    assert place["region"] == {"startLine": 2}
    assert unquote(place["artifactLocation"]["uri"]) == str(tmp_path / "a b.txt") and " " not in place["artifactLocation"]["uri"]
    assert all(isinstance(text, str) for text in result["partialFingerprints"].values())
    empty = json.loads(OFFLINE.run("scan", os.devnull, "--format", "sarif").stdout)
    assert empty["runs"][0]["results"] == []


async def test_with_the_database_it_knows_every_credential_and_revokes_with_where_it_was_found(
    keydesk: Keydesk, team: Team, other_team: Team, tmp_path: Path
) -> None:
    made, foreign = await make_key(team, "Shop"), await make_key(other_team, "Rival")
    token = await management_key(team, Scope.KEYS_READ)
    file = tmp_path / "leak.txt"
    file.write_text("\n".join([made.secret or "", foreign.secret or "", token, generate("fl", "live")]))
    found = scanned(file, code=1, by=keydesk)
    assert [(each["status"], each["kind"], each["workspace"]) for each in found] == [
        ("ACTIVE", "API_KEY", team.slug),
        ("ACTIVE", "API_KEY", other_team.slug),
        ("ACTIVE", "MANAGEMENT_KEY", team.slug),
        ("UNKNOWN", None, None),
    ]
    assert found[0]["id"] == made.key.id and found[0]["name"] == "Shop"
    assert "without a terminal add --yes" in keydesk.refused("scan", str(file), "--revoke", code=2)
    assert (await keys.get(team.owner, made.key.id)).revocation is None
    ended = scanned(file, "--revoke", "--yes", code=1, by=keydesk)
    assert [each["status"] for each in ended] == ["REVOKED", "REVOKED", "REVOKED", "UNKNOWN"]
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None and revoked.note is not None
    assert (revoked.reason, revoked.note) == (Reason.COMMITTED_TO_REPOSITORY, f"Found by keydesk scan: {file}:1")
    assert [each["status"] for each in scanned(file, "--ignore-dead", code=1, by=keydesk)] == ["UNKNOWN"]


@dataclass
class Recorder:
    """A server that forwards GraphQL requests to a node and keeps their bodies."""

    node: str
    bodies: list[bytes] = field(default_factory=list)

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                recorder.bodies.append(body)
                names = ("authorization", "content-type")
                request = urllib.request.Request(f"{recorder.node}/graphql", body, {name: self.headers[name] for name in names})
                with urllib.request.urlopen(request) as answer:
                    content = answer.read()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_address[1]}"
            finally:
                server.shutdown()
                thread.join()


async def test_over_http_it_sends_digests_only_and_learns_about_its_own_workspace_only(
    node: Server, team: Team, other_team: Team, tmp_path: Path
) -> None:
    made, foreign = await make_key(team, "Shop"), await make_key(other_team)
    file = tmp_path / "leak.txt"
    file.write_text(f"{made.secret}\n{foreign.secret}\n")
    recorder = Recorder(node.url)
    with recorder.running() as url:
        reader = Keydesk({"KEYDESK_SERVER": url, "KEYDESK_MANAGEMENT_KEY": await management_key(team, Scope.KEYS_READ)})
        found = scanned(file, code=1, by=reader)
        assert [(each["status"], each["id"]) for each in found] == [("ACTIVE", made.key.id), ("UNKNOWN", None)]
        assert reader.run("scan", str(file), "--revoke", "--yes").returncode == 2
        writer = reader.under(KEYDESK_MANAGEMENT_KEY=await management_key(team, Scope.KEYS_WRITE))
        assert [each["status"] for each in scanned(file, "--revoke", "--yes", code=1, by=writer)] == ["REVOKED", "UNKNOWN"]
        blind = reader.under(KEYDESK_MANAGEMENT_KEY=await management_key(team, Scope.USAGE_READ))
        assert "cannot read" in blind.refused("scan", str(file), code=2) or "scope" in blind.refused("scan", str(file), code=2)
    sent = b"".join(recorder.bodies)
    assert sha256_of(made.secret or "").hex().encode() in sent
    assert (made.secret or "")[12:].encode() not in sent and (foreign.secret or "")[12:].encode() not in sent
    assert (await keys.get(other_team.owner, foreign.key.id)).revocation is None


async def test_on_a_terminal_revoking_asks_and_no_leaves_the_key_alone(keydesk: Keydesk, team: Team, tmp_path: Path) -> None:
    made = await make_key(team)
    file = tmp_path / "leak.txt"
    file.write_text(made.secret or "")
    keyboard, terminal = os.openpty()
    with subprocess.Popen(
        keydesk.command("scan", str(file), "--revoke"), env=keydesk.variables, stdin=terminal, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        os.write(keyboard, b"n\n")
        out, err = process.communicate(timeout=120)
    os.close(keyboard)
    os.close(terminal)
    assert process.returncode == 1 and b"Revoke 1 permanently" in err
    assert (made.secret or "").encode() not in out + err
    assert (await keys.get(team.owner, made.key.id)).revocation is None
