"""The main use case end to end: a new key generates a PDF, is counted, is refused without permission, and is revoked."""

from __future__ import annotations

import io
import json
import re
import time

from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.conftest import PATIENCE_SECONDS, Desk, Person, curl, make_pdf


def test_a_key_created_in_the_browser_works_is_counted_and_is_refused_after_its_revocation(
    ada: Person, desk: Desk, pdf_api: str
) -> None:
    secret = ada.create_key("Production server")
    status, body = make_pdf(pdf_api, secret)
    assert status == 201, body
    assert _pdf_of(pdf_api, body, secret).startswith("Invoice 42")

    ada.follow("I have copied the key")
    figures = ada.page.locator("#live")
    expect(figures).to_contain_text(re.compile(r"Requests, 30 days\s*2\s*2 successful"))
    expect(figures).to_contain_text(re.compile(r"Last used\s*(just now|\d+ seconds? ago)"))
    expect(ada.page.locator("body")).not_to_contain_text(secret)

    ada.page.get_by_label("More actions").click()
    ada.follow("Revoke")
    ada.page.get_by_label("No longer needed").check()
    ada.fill(prefix=secret[:12])
    ada.press("Revoke this key permanently")
    expect(ada.page.get_by_text("Revoked permanently")).to_be_visible()
    status, body = make_pdf(pdf_api, secret)
    assert status == 401, body


def test_a_key_without_the_permission_is_refused_with_its_name(ada: Person, desk: Desk, pdf_api: str) -> None:
    secret = ada.create_key("CI", preset="CI/CD")
    status, body = make_pdf(pdf_api, secret)
    assert status == 403 and b"pdf.generate" in body
    assert curl(f"{pdf_api}/pdfs/none", "-H", f"X-API-Key: {secret}")[0] == 404


def test_keys_created_over_graphql_behave_the_same(ada: Person, desk: Desk, pdf_api: str) -> None:
    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write,usage.read", "--expires", "1d")
    desk.run("set-plan", "acme-pdf", "starter")
    made = desk.graphql(token, "keys/create", name="Server", environment="production", permissions=["pdf.generate", "pdf.read"])
    assert make_pdf(pdf_api, made["secret"])[0] == 201
    reader = desk.graphql(token, "keys/create", name="Reader", environment="development", permissions=["pdf.read"])
    status, body = make_pdf(pdf_api, reader["secret"])
    assert status == 403 and b"pdf.generate" in body

    _until(lambda: _total(desk, token, made["apiKey"]["id"]) == 1)
    desk.graphql(token, "keys/revoke", id=made["apiKey"]["id"], reason="NO_LONGER_NEEDED")
    assert make_pdf(pdf_api, made["secret"])[0] == 401


def test_on_the_free_plan_the_second_key_is_refused_with_the_plans_that_would_allow_it(ada: Person, desk: Desk) -> None:
    ada.create_key("The only one")
    ada.open("/w/acme-pdf/settings/api-keys/new")
    limit = ada.page.get_by_role("alert")
    expect(limit).to_contain_text("You have reached the limit of Free: 1 API key")
    ada.page.get_by_role("radio", name="Staging").first.check()
    ada.fill(name="One too many")
    ada.press("Create API key")
    for title in ("Starter", "Growth", "Scale", "Scale Business", "Scale Enterprise"):
        expect(limit.get_by_text(title, exact=True)).to_be_visible()
    expect(ada.page.locator("[name=name]")).to_have_value("One too many")

    token = desk.run("management-key", "create", "--workspace", "acme-pdf", "--scopes", "keys.write", "--expires", "1d")
    answer = desk.graphql(token, "keys/create", name="Two", environment="staging", permissions=["pdf.read"])
    assert (answer["code"], [plan["name"] for plan in answer["upgradeTo"]][:2]) == ("PLAN_LIMIT_REACHED", ["starter", "growth"])


def _pdf_of(api: str, answer: bytes, secret: str) -> str:
    """The text of the PDF at the answer's Location."""
    status, body = curl(f"{api}/pdfs/{json.loads(answer)['id']}", "-H", f"Authorization: Bearer {secret}")
    assert status == 200
    return PdfReader(io.BytesIO(body)).pages[0].extract_text()


def _total(desk: Desk, token: str, key_id: str) -> int:
    return int(desk.graphql(token, "keys/usage", id=key_id)["usage"]["totalRequests"])


def _until(holds: object, within_seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + within_seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.1)
