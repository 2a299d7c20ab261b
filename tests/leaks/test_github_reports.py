"""`POST /v1/leaks`: a report of GitHub's secret scanning revokes what it names, and only a signed one with a whole secret does."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app import database
from app.access.actor import Actor, ActorKind
from app.alerts import service as alerts
from app.audit import service as audit
from app.clock import DAY
from app.errors import StartRefused
from app.gateway_tokens import service as gateway_tokens
from app.keys import service as keys
from app.keys.key import Reason
from app.keys.secret import generate, prefix_of
from app.leaks.key_set import KeySet, parsed
from app.leaks.routes import BODY_LIMIT, LIMIT, LeakReports
from app.leaks.signature import is_valid, public_key
from app.main import Keydesk
from app.management_keys import service as management_keys
from app.management_keys.management_key import ManagementKeyInput
from app.settings import Settings
from tests.conftest import GATEWAY_TOKEN, Team, make_key
from tests.support.access import seen

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = "a-key-of-the-tests"
PLACE = "https://github.com/octocat/Hello-World/blob/123/foo/bar.txt"


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_list(**keys: ec.EllipticCurvePrivateKey) -> bytes:
    listed = [{"key_identifier": name, "key": pem(key), "is_current": True} for name, key in keys.items()]
    return json.dumps({"public_keys": listed}).encode()


def signed(body: bytes, key: ec.EllipticCurvePrivateKey = KEY, name: str = NAME) -> dict[str, str]:
    signature = base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
    return {"Github-Public-Key-Identifier": name, "Github-Public-Key-Signature": signature}


def report_of(*secrets: str) -> bytes:
    return json.dumps([{"token": each, "type": "keydesk_api_key", "url": PLACE, "source": "content"} for each in secrets]).encode()


@dataclass
class GitHub:
    """Sends reports from a network."""

    app: LeakReports
    network: str = "203.0.113.0/24"

    async def send(self, body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST") -> httpx.Response:
        transport = httpx.ASGITransport(self.app)  # type: ignore[arg-type]
        given = {**(signed(body) if headers is None else headers), "x-network": self.network}
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            return await client.request(method, "/v1/leaks", content=body, headers=given)

    async def labels(self, *secrets: str) -> list[str]:
        answer = await self.send(report_of(*secrets))
        assert answer.status_code == 200, answer.text
        return [each["label"] for each in answer.json()]


def network(scope: Mapping[str, Any]) -> str:
    return str(dict(scope["headers"])[b"x-network"])


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    file = tmp_path / "keys.json"
    file.write_bytes(key_list(**{NAME: KEY}))
    return GitHub(LeakReports(str(file), (GATEWAY_TOKEN,), network))


async def test_a_reported_key_is_revoked_with_the_place_and_by_github(github: GitHub, team: Team) -> None:
    made = await make_key(team, "Shop")
    other = await make_key(team, "Other")
    answer = await github.send(report_of(made.secret or ""))
    digest = hashlib.sha256((made.secret or "").encode()).hexdigest()
    assert answer.json() == [{"token_hash": digest, "token_type": "keydesk_api_key", "label": "true_positive"}]
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None
    assert (revoked.reason, revoked.note) == (Reason.COMMITTED_TO_REPOSITORY, f"Found by GitHub: {PLACE}")
    assert (revoked.by.kind, revoked.by.name) == (ActorKind.SYSTEM, "GitHub secret scanning")
    newest, *_ = await audit.about(await seen(team.owner, team.slug), made.key.id)
    assert (newest.action, newest.actor) == ("key.revoked", revoked.by)
    assert (await keys.get(team.owner, other.key.id)).revocation is None


async def test_a_repeated_report_changes_nothing_and_gets_the_same_answer(github: GitHub, team: Team) -> None:
    secret = (await make_key(team)).secret or ""
    first = await github.send(report_of(secret, secret))
    before = await database.fetch("SELECT * FROM audit_entry ORDER BY id")
    again = await github.send(report_of(secret, secret))
    assert [each["label"] for each in first.json()] == ["true_positive", "true_positive"]
    assert again.json() == first.json()
    assert await database.fetch("SELECT * FROM audit_entry ORDER BY id") == before


async def test_management_keys_and_gateway_tokens_are_revoked_too(github: GitHub, team: Team) -> None:
    asked = ManagementKeyInput("CI", ("keys.read",), await database.now() + DAY)
    _, managing = await management_keys.create(team.owner, team.slug, asked)
    token = (await gateway_tokens.create(Actor.operator(), "edge")).secret
    assert await github.labels(managing, token, GATEWAY_TOKEN) == ["true_positive"] * 3
    found = await management_keys.find_by_secret(Actor.operator(), managing)
    assert found is not None and found.revoked_at is not None
    edge = await gateway_tokens.find_by_secret(Actor.operator(), token)
    assert edge is not None and edge.revoked_at is not None


async def test_only_a_whole_valid_secret_counts(github: GitHub, team: Team) -> None:
    made = await make_key(team)
    secret = made.secret or ""
    wrong = [prefix_of(secret), secret[:-1], secret + "0", secret.upper(), f" {secret}", secret[:-6] + "000000", "some_token", ""]
    unknown = [generate("fl", "live"), generate("other", "live")]
    assert await github.labels(*wrong, *unknown) == ["false_positive"] * (len(wrong) + len(unknown))
    assert (await keys.get(team.owner, made.key.id)).revocation is None


async def test_a_report_raises_one_alert_for_a_week(github: GitHub, team: Team) -> None:
    made = await make_key(team, "Shop")
    revoked_by_a_person = await make_key(team, "Old")
    await keys.revoke(team.owner, revoked_by_a_person.key.id, Reason.COMMITTED_TO_REPOSITORY)
    await github.labels(made.secret or "")
    now = await database.now()
    raised = await alerts.run(now)
    assert [(each.key.id, str(each.kind), each.days) for each in raised] == [(made.key.id, "LEAKED", 0)]
    assert await alerts.run(now) == []
    assert [each.key.id for each in await alerts.open_alerts(await seen(team.viewer, team.slug))] == [made.key.id]
    database.freeze(now + 8 * DAY)
    assert await alerts.run(now + 8 * DAY) == []
    assert await alerts.open_alerts(await seen(team.viewer, team.slug)) == []


async def test_what_is_not_signed_is_refused_alike_and_revokes_nothing(github: GitHub, team: Team) -> None:
    made = await make_key(team)
    body, stranger = report_of(made.secret or ""), ec.generate_private_key(ec.SECP256R1())
    flipped = bytearray(body)
    flipped[-3] ^= 1
    spaced = json.dumps(json.loads(body), indent=1).encode()
    good = signed(body)
    attempts = [
        (bytes(flipped), good),
        (spaced, good),
        (body, signed(body, stranger)),
        (body, signed(body, name="unknown")),
        (body, {**good, "Github-Public-Key-Signature": "no base64"}),
        (body, {**good, "Github-Public-Key-Signature": base64.b64encode(b"no signature").decode()}),
        (body, {**good, "Github-Public-Key-Signature": ""}),
    ]
    answers = [await github.send(*attempt) for attempt in attempts]
    assert {answer.status_code for answer in answers} == {400}
    assert {answer.json()["detail"] for answer in answers} == {"The signature is not valid."}
    for name in good:
        absent = await github.send(body, {other: value for other, value in good.items() if other != name})
        assert absent.status_code == 404
    assert (await keys.get(team.owner, made.key.id)).revocation is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"type": "x"}]', b"\xff", b"[" * 100_000])
async def test_a_signed_body_that_is_no_report_is_a_400(github: GitHub, body: bytes) -> None:
    answer = await github.send(body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The body is not a list of matches.")


async def test_methods_sizes_and_floods_are_limited(github: GitHub) -> None:
    assert (await github.send(b"", method="GET")).status_code == 405
    assert (await github.send(b"x" * (BODY_LIMIT + 1))).status_code == 413
    statuses = [(await github.send(b"[]", signed(b"other"))).status_code for _ in range(LIMIT)]
    assert statuses[0] == 400 and statuses[-1] == 429
    assert (await replace(github, network="198.51.100.0/24").send(b"[]")).status_code == 200


async def test_a_report_of_thousands_of_matches_is_answered_in_order(github: GitHub, team: Team) -> None:
    made = await make_key(team)
    secrets = [f"token {number}" for number in range(4_998)]
    labels = await github.labels(secrets[0], made.secret or "", *secrets[1:])
    assert len(labels) == 4_999 and labels[1] == "true_positive" and labels.count("true_positive") == 1


async def test_no_log_and_no_answer_contains_a_secret(github: GitHub, team: Team, caplog: pytest.LogCaptureFixture) -> None:
    made = await make_key(team)
    hidden = (made.secret or "")[len(made.key.prefix) :]
    url = f"https://example.com/{made.secret}"
    body = json.dumps([{"token": made.secret, "type": "t", "url": url}]).encode()
    with caplog.at_level(logging.DEBUG):
        answer = await github.send(body)
        await github.send(body, signed(b"other"))
        await github.send(f'[{{"token": "{made.secret}", "type": 1}}]'.encode())
    assert answer.status_code == 200 and hidden not in answer.text + caplog.text
    revoked = (await keys.get(team.owner, made.key.id)).revocation
    assert revoked is not None and hidden not in str(revoked.note)


def test_the_signature_of_githubs_own_example_is_valid() -> None:
    """The sample request of the documentation of the partner program, with the public key that was in use then."""
    key = public_key(
        b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n"
        b"AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n"
    )
    body = b'[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]'
    signature = b"MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg=="
    assert is_valid(key, signature, body)
    assert not is_valid(key, signature, body + b" ")


@dataclass
class KeyServer:
    """Publishes keys on this machine, and counts how often it was asked."""

    content: bytes
    status: int = 200
    asked: int = 0
    url: str = field(default="", init=False)


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    published = KeyServer(key_list(**{NAME: KEY}))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            published.asked += 1
            self.send_response(published.status)
            self.end_headers()
            self.wfile.write(published.content)

        def log_message(self, *_: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        published.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield published
        server.shutdown()
        thread.join()


async def test_keys_are_fetched_once_and_unknown_identifiers_cause_no_flood(key_server: KeyServer) -> None:
    known = KeySet(key_server.url)
    assert await known.find(NAME) is not None
    for number in range(100):
        assert await known.find(f"bogus {number}") is None
    assert await known.find(NAME) is not None
    assert key_server.asked == 1


async def test_a_new_key_of_github_is_fetched_and_a_failure_keeps_the_known_ones(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.leaks.key_set.RETRY_SECONDS", -1.0)
    known, new = KeySet(key_server.url), ec.generate_private_key(ec.SECP256R1())
    assert await known.find("new") is None
    key_server.content = key_list(**{NAME: KEY, "new": new})
    assert await known.find("new") is not None
    for key_server.status, key_server.content in ((500, b""), (200, b"<html>"), (302, b"")):
        assert await known.find("later") is None and await known.find("new") is not None


async def test_without_any_key_a_report_is_unanswered_and_can_be_repeated(key_server: KeyServer) -> None:
    key_server.status = 503
    answer = await GitHub(LeakReports(key_server.url, (), network)).send(report_of("x"))
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


def test_a_file_may_contain_one_key_in_pem_form_and_other_curves_are_refused() -> None:
    assert set(parsed(pem(KEY).encode())) == {""}
    for wrong in (pem(ec.generate_private_key(ec.SECP384R1())).encode(), b"{}", b"[]", b'{"public_keys": [{}]}', b"-----BEGIN x"):
        with pytest.raises(ValueError):
            parsed(wrong)


async def test_it_is_off_without_the_setting_and_on_a_node_that_only_verifies(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(key_list(**{NAME: KEY}))

    async def status(**changed: Any) -> int:
        transport = httpx.ASGITransport(Keydesk(replace(settings, **changed)))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://keydesk.test") as client:
            return (await client.get("/v1/leaks")).status_code

    on = {"github_keys": str(file)}
    assert await status() == 404
    assert await status(**on) == 405
    assert await status(**on, role="control") == 405
    assert await status(**on, role="verify") == 404


@pytest.mark.parametrize(
    "value", ["http://example.com/keys", "ftp://example.com", "https://", "/no/such/file", "https://a:b@example.com"]
)
def test_an_address_that_others_can_change_is_refused(value: str) -> None:
    with pytest.raises(StartRefused, match="KEYDESK_GITHUB_KEYS"):
        Settings.load({"KEYDESK_GITHUB_KEYS": value})
