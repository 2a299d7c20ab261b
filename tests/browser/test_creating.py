"""Creating a key and what happens around it: Back, Reload, a double click, two tabs, a lost network, a session renewed elsewhere.

Nothing typed is lost, and one form never creates two keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

from tests.browser.conftest import EMAIL, PASSWORD, PATIENCE_SECONDS, Desk, Person
from tests.support.processes import ROOT
from tests.support.server import Server

LIST = "/w/acme-pdf/settings/api-keys"
NEW = f"{LIST}/new"


@pytest.fixture
def plain(ada: Person, desk: Desk) -> Person:
    """The same user in a browser without JavaScript."""
    assert ada.context.browser is not None
    context = ada.context.browser.new_context(java_script_enabled=False, storage_state=ada.context.storage_state())
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    return Person(context, context.new_page(), desk.url)


@pytest.fixture(params=["with JavaScript", "without JavaScript"])
def person(request: pytest.FixtureRequest, ada: Person, plain: Person) -> Person:
    return ada if request.param == "with JavaScript" else plain


def fill_in(page: Page, name: str = "Frames") -> None:
    page.locator("[name=name]").fill(name)
    page.locator("[name=allowedIps]").fill("203.0.113.9")
    page.locator("[name=environment][value=staging]").check()
    page.locator("[name=permissions][value='pdf.read']").check()
    page.locator("[name=lifetime][value='30']").check()


def filled(person: Person) -> None:
    person.open(NEW)
    fill_in(person.page)


def to_create(person: Person, plain: Person) -> None:
    """Fills in the form; without JavaScript, up to its review."""
    filled(person)
    if person is plain:
        person.press("Review")
        expect(person.page.get_by_role("heading", name="Create “Frames”?")).to_be_visible()


def expect_filled(page: Page, name: str = "Frames") -> None:
    expect(page.locator("[name=name]")).to_have_value(name)
    expect(page.locator("[name=allowedIps]")).to_have_value("203.0.113.9")
    expect(page.locator("[name=environment][value=staging]")).to_be_checked()
    expect(page.locator("[name=permissions][value='pdf.read']")).to_be_checked()
    expect(page.locator("[name=lifetime][value='30']")).to_be_checked()


def expect_one_key(person: Person, name: str = "Frames") -> None:
    person.open(LIST)
    expect(person.page.get_by_role("link", name=name, exact=True)).to_have_count(1)
    expect(person.page.locator("tr[id^=key_]")).to_have_count(1)


def summary(person: Person) -> Locator:
    return person.page.locator("#summary")


def stored(page: Page, name: str = "Frames") -> None:
    """Waits until the page's URL contains the input."""
    expect(page).to_have_url(re.compile(f"name={name}.*permissions=pdf.read.*lifetime=30"))


def test_the_summary_follows_the_form_and_the_button_creates_the_key(ada: Person) -> None:
    filled(ada)
    for words in ("Frames", "Staging", "1: pdf.read", "In 30 days", "Every 90 days", "203.0.113.9", "Key 1 of 1 on Free"):
        expect(summary(ada)).to_contain_text(words)
    ada.page.get_by_role("radio", name="Production").first.check()
    expect(summary(ada)).to_contain_text("2: pdf.generate, pdf.read")
    ada.page.locator("[name=environment][value=temporary]").check()
    never = ada.page.get_by_label("No expiration")
    expect(never).to_be_disabled()
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    expect(ada.page).to_have_url(re.compile("/key_[a-z0-9]+\\?made=yes$"))


def test_where_keys_must_expire_no_expiration_cannot_be_chosen(ada: Person) -> None:
    ada.open(NEW)
    never = ada.page.get_by_label("No expiration")
    expect(never).to_be_checked()
    ada.page.locator("[name=environment][value=temporary]").check()
    expect(never).not_to_be_checked()
    expect(summary(ada)).to_contain_text("temporary keys must expire, within 90 days")
    ada.fill(name="Contractor")
    ada.page.locator("[name=permissions][value='pdf.read']").check()
    ada.press("Create API key")  # the browser asks for a choice
    expect(ada.page.locator("[name=lifetime]:invalid")).not_to_have_count(0)
    ada.page.locator("[name=environment][value=production]").check()
    expect(never).to_be_checked()
    expect(ada.page.locator("#expiresAt")).to_be_hidden()
    ada.page.get_by_label("A date").check()
    expect(ada.page.locator("#expiresAt")).to_be_visible()


def test_without_javascript_a_review_comes_first_and_restores_the_input(plain: Person) -> None:
    filled(plain)
    expect(summary(plain)).to_be_hidden()
    plain.press("Review")
    review = plain.page.get_by_role("heading", name="Create “Frames”?")
    expect(review).to_be_visible()
    expect(plain.page.locator("main")).to_contain_text("In 30 days")
    plain.page.reload()
    expect(review).to_be_visible()
    # Only the browser could restore the input on Back, and Chromium does not for pages with no-store.
    plain.page.go_back()
    plain.page.go_forward()
    expect(review).to_be_visible()
    plain.follow("Back to editing")
    expect_filled(plain.page)


def test_reload_and_back_restore_what_was_typed(ada: Person) -> None:
    filled(ada)
    stored(ada.page)
    ada.page.reload()
    expect_filled(ada.page)
    ada.follow("Checklist")
    expect(ada.page.get_by_role("heading", level=1)).to_contain_text("hecklist")
    ada.page.go_back()
    expect_filled(ada.page)
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()


def test_reload_after_the_secret_shows_the_keys_page_and_back_creates_no_second_key(person: Person, plain: Person) -> None:
    person.open(LIST)
    to_create(person, plain)
    person.press("Create API key")
    expect(person.page.locator("#secret")).to_be_visible()
    secret = person.page.locator("#secret").text_content() or ""
    person.page.reload()
    expect(person.page.get_by_role("heading", name="Frames", exact=True)).to_be_visible()
    expect(person.page.get_by_text("The secret of this key was shown once")).to_be_visible()
    assert secret.strip()[12:] not in person.page.content()
    person.page.go_back()
    if person is plain:
        person.press("Create API key")
        expect(person.page.get_by_text("The secret of this key was shown once")).to_be_visible()
    expect_one_key(person)


def test_two_tabs_with_the_same_form_create_one_key(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    filled(ada)
    stored(ada.page)
    other = ada.context.new_page()
    other.goto(ada.page.url)
    expect_filled(other)
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    shown = ada.page.locator("#secret").text_content()
    other.get_by_role("button", name="Create API key").click()
    expect(other.get_by_text("The secret of this key was shown once")).to_be_visible()
    expect(ada.page.locator("#secret")).to_have_text((shown or "").strip())
    other.close()
    expect_one_key(ada)


def test_two_tabs_with_a_form_each_keep_their_own_input(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    filled(ada)
    other = ada.context.new_page()
    other.goto(ada.url + NEW)
    fill_in(other, "Other")
    other.get_by_role("button", name="Create API key").click()
    expect(other.get_by_role("heading", name="“Other” is ready")).to_be_visible()
    expect_filled(ada.page)
    ada.press("Create API key")
    expect(ada.page.get_by_role("heading", name="“Frames” is ready")).to_be_visible()


def test_without_network_the_input_is_kept_and_sent_again(ada: Person) -> None:
    filled(ada)
    expect(summary(ada)).to_contain_text("Frames")
    ada.context.set_offline(True)
    ada.fill(name="Frames of a train")
    expect(summary(ada).get_by_role("alert")).to_contain_text("not up to date")
    ada.press("Create API key")
    expect(ada.page.locator("form > .note").filter(has_text="No answer from the server")).to_be_visible()
    expect_filled(ada.page, "Frames of a train")
    ada.context.set_offline(False)
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    expect_one_key(ada, "Frames of a train")


def test_after_a_lost_answer_the_form_sent_again_leads_to_the_key_that_it_created(ada: Person, desk: Desk) -> None:
    desk.run("set-plan", "acme-pdf", "growth")
    filled(ada)
    ada.page.route(re.compile(f"{NEW}$"), _handled_but_lost)
    ada.press("Create API key")
    expect(ada.page.locator("form > .note").filter(has_text="No answer from the server")).to_be_visible()
    ada.page.unroute(re.compile(f"{NEW}$"))
    expect_filled(ada.page)
    ada.page.reload()
    expect_filled(ada.page)
    ada.press("Create API key")
    expect(ada.page.get_by_text("The secret of this key was shown once")).to_be_visible()
    expect_one_key(ada)


def _handled_but_lost(route: Route) -> None:
    """The server creates the key, and its answer is lost."""
    assert route.fetch().status == 201
    route.abort("connectionreset")


def sign_in_again(context: BrowserContext, url: str) -> None:
    """Signs out and in again in another tab."""
    other = context.new_page()
    other.goto(f"{url}/account")
    other.evaluate("document.querySelector('form[action=\"/sign-out\"]').submit()")
    other.wait_for_url("**/sign-in")
    other.locator("[name=email]").fill(EMAIL)
    other.locator("[name=password]").fill(PASSWORD)
    other.get_by_role("button", name="Sign in", exact=True).click()
    other.wait_for_url("**/w/**")
    other.close()


def test_after_the_session_was_renewed_in_another_tab_the_form_is_sent_again(ada: Person) -> None:
    filled(ada)
    stored(ada.page)
    sign_in_again(ada.context, ada.url)
    ada.page.bring_to_front()
    ada.press("Create API key")
    expect(ada.page.get_by_role("heading", name="Send your entries again?")).to_be_visible()
    ada.page.reload()
    expect_filled(ada.page)
    sign_in_again(ada.context, ada.url)
    ada.press("Create API key")
    ada.press("Send again")
    expect(ada.page.get_by_role("heading", name="“Frames” is ready")).to_be_visible()
    expect_one_key(ada)


def test_a_session_that_ends_while_one_types_or_sends_loses_nothing(ada: Person) -> None:
    filled(ada)
    stored(ada.page)
    ada.context.clear_cookies()
    ada.page.locator("[name=labels]").fill("team=payments")
    expect(ada.page.get_by_role("heading", name="Sign in")).to_be_visible()
    ada.fill(email=EMAIL, password=PASSWORD)
    ada.press("Sign in")
    expect_filled(ada.page)
    expect(ada.page.locator("[name=labels]")).to_have_value("team=payments")
    ada.context.clear_cookies()
    ada.press("Create API key")
    expect(ada.page.get_by_role("heading", name="Sign in again")).to_be_visible()
    ada.fill(signInEmail=EMAIL, signInPassword=PASSWORD)
    ada.press("Sign in")
    expect(ada.page.get_by_role("heading", name="Create “Frames”?")).to_be_visible()
    ada.press("Create API key")
    expect(ada.page.locator("#secret")).to_be_visible()
    expect_one_key(ada)


def test_a_link_fills_in_the_form_and_creates_nothing(person: Person) -> None:
    person.open(f"{NEW}?name=Frames&preset=staging&permissions=pdf.read&lifetime=30&allowedIps=203.0.113.9")
    expect_filled(person.page)
    expect(person.page.locator("[name=permissions]:checked")).to_have_count(1)
    person.open(LIST)
    expect(person.page.locator("tr[id^=key_]")).to_have_count(0)


@pytest.fixture
def many(chromium: Browser, tmp_path: Path) -> Iterator[Person]:
    """An owner where the catalogue has sixty permissions."""
    catalogue = tmp_path / "catalogue.toml"
    more = "".join(f'"area{number // 6}.thing{number}" = "Does what {number} says."\n' for number in range(55))
    catalogue.write_text((ROOT / "app" / "catalogue.toml").read_text().replace("[permissions]\n", f"[permissions]\n{more}"))
    own = {"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db", "KEYDESK_CATALOGUE": str(catalogue)}
    with Server(own, tmp_path, patient=True).running() as server:
        found = Person.open_browser(chromium, server.url)
        found.set_up(server.set_up_link())
        yield found
        found.context.close()


def test_sixty_permissions_can_be_filtered_and_keep_the_page_short(many: Person) -> None:
    many.open(NEW)
    choices, wanted = many.page.locator("#permits label"), many.page.get_by_label("Filter permissions")
    expect(choices).to_have_count(60)
    assert many.page.locator("#permits").bounding_box()["height"] < 500  # type: ignore[index]  # it is shown
    wanted.fill("THING7")
    expect(choices.filter(visible=True)).to_have_count(1)
    many.page.locator("[name=permissions][value='area1.thing7']").check()
    wanted.press("Enter")
    wanted.fill("")
    expect(choices.filter(visible=True)).to_have_count(60)
    expect(summary(many)).to_contain_text("1: area1.thing7")
    for box in many.page.locator("[name=permissions]").all()[:12]:
        box.check()
    many.page.locator("#summary summary", has_text="12 permissions").click()
    many.fill(name="Frames")
    expect(summary(many)).to_contain_text("Frames")
    expect(many.page.locator("#summary li")).to_have_count(12)
    expect(many.page.locator("#summary li").first).to_be_visible()
    assert Axe().run(many.page).response["violations"] == []


def test_a_pasted_key_is_cut_before_it_is_stored_in_the_url(ada: Person) -> None:
    secret = ada.create_key("First")
    ada.follow("I have copied the key")
    ada.open(NEW)
    ada.fill(name="Second", description=f"Replaces {secret}")
    expect(ada.page.locator("[name=description]")).to_have_value(f"Replaces {secret[:12]}")
    expect(ada.page).to_have_url(re.compile("name=Second"))
    assert secret[12:] not in ada.page.url
