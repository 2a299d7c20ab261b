"""Rotation in the browser: two real clients move over while the page updates without a reload; also with the Free plan's key."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import Application, Desk, Person


def begun(ada: Person, quiet: str = "900") -> str:
    """Starts a rotation on the key's page and returns the new secret."""
    ada.follow("Rotate")
    ada.page.get_by_label("Consider the old key unused after").select_option(quiet)
    ada.press("Create the new key")
    ada.page.get_by_role("heading", name="Update your application").wait_for()
    return (ada.page.locator("#secret").text_content() or "").strip()


def test_the_only_key_of_a_free_plan_is_rotated_while_the_page_shows_two_clients_move_over(
    ada: Person, desk: Desk, gateway: str
) -> None:
    old = ada.create_key("Billing worker")
    billing = Application(desk, gateway, "billing", "203.0.113.9", old)
    cron = Application(desk, gateway, "cron", "198.51.100.7", old)
    assert (billing.calls(), cron.calls()) == ("VALID", "VALID")
    ada.follow("I have copied the key")
    new = begun(ada)
    assert new != old and old[12:] not in ada.page.content()
    where = ada.page.locator("main")
    expect(where).to_contain_text("billing")
    expect(where).to_contain_text("198.51.100.0/24")

    ada.follow("I have copied the key: show progress")
    live = ada.page.locator("#live")
    expect(live).to_contain_text("Nobody has used the new key yet")
    loaded = ada.page.evaluate("() => performance.timeOrigin")
    billing.secret = new
    assert billing.calls() == "VALID"
    expect(live.locator("tr.moved")).to_have_count(1)
    expect(live.locator("tr.left")).to_contain_text("cron")
    expect(live.get_by_role("listitem").filter(has_text="Watch callers move")).to_have_attribute("aria-current", "step")
    expect(live).to_contain_text("would cut off cron")
    cron.secret = new
    assert cron.calls() == "VALID"
    expect(live.locator("tr.moved")).to_have_count(2)
    assert ada.page.evaluate("() => performance.timeOrigin") == loaded

    # The quiet period is not over: the page says so, and completes after confirmation.
    ada.press("Revoke the old key now")
    expect(ada.page.get_by_role("heading", name="The old key was used recently")).to_be_visible()
    ada.press("Revoke the old key anyway")
    expect(ada.page.locator("#live")).to_contain_text("The old key is revoked; the new key has replaced it.")
    assert Application(desk, gateway, "late", "203.0.113.9", old).calls() == "REVOKED"
    assert billing.calls() == "VALID"
    ada.open("/w/acme-pdf/settings/plan")
    expect(ada.page.locator("main")).to_contain_text("1 of 1 key on Free")


def test_after_leaving_the_rotation_continues_and_a_lost_secret_can_be_replaced(ada: Person, desk: Desk, gateway: str) -> None:
    old = ada.create_key("Billing worker")
    ada.follow("I have copied the key")
    first = begun(ada)
    ada.open("/w/acme-pdf/settings/api-keys")
    expect(ada.page.locator("#keys")).to_contain_text("Rotating")
    ada.page.get_by_role("link", name="Billing worker").last.click()
    ada.follow("View rotation")
    ada.press("Replace the lost secret")
    second = (ada.page.locator("#secret").text_content() or "").strip()
    assert second not in (old, first)
    codes = [Application(desk, gateway, "x", "203.0.113.9", secret).calls() for secret in (old, first, second)]
    assert codes == ["VALID", "REVOKED", "VALID"]


def test_a_caller_is_ignored_that_can_be_undone_and_a_rotation_cancelled(ada: Person, desk: Desk, gateway: str) -> None:
    old = ada.create_key("Billing worker")
    cron = Application(desk, gateway, "cron", "198.51.100.7", old)
    assert cron.calls() == "VALID"
    ada.follow("I have copied the key")
    new = begun(ada)
    ada.follow("I have copied the key: show progress")
    ada.press("Ignore cron")
    expect(ada.page.locator("#live tr.dismissed")).to_contain_text("Ignored")
    expect(ada.page.locator("#live")).to_contain_text("0 of 1 caller moved, 1 ignored")
    assert "all callers have moved" not in ada.page.locator("#live").inner_text().lower()
    ada.press("Undo ignoring cron")
    expect(ada.page.locator("#live tr.left")).to_contain_text("Still on the old key")
    assert Application(desk, gateway, "billing", "203.0.113.9", new).calls() == "VALID"
    ada.press("Cancel rotation")
    expect(ada.page.get_by_role("heading", name="The new key is already in use")).to_be_visible()
    ada.press("End the rotation and revoke the new key")
    ada.page.wait_for_url("**/key_*")
    assert Application(desk, gateway, "billing", "203.0.113.9", new).calls() == "REVOKED"
    assert cron.calls() == "VALID"
