"""Everything to press is at least 24 pixels high and wide (WCAG 2.2, 2.5.8), on each page, on a phone and on a wide screen."""

from __future__ import annotations

from collections.abc import Iterator

from tests.browser.conftest import Desk, Person
from tests.browser.test_widths import furnish, paths

WIDTHS = (360, 1440)
# Targets smaller than that. A link within a sentence is exempt. What is pressed can be larger than its box (its label, or the row
# that it covers), so in doubt the points 11 pixels around the center are asked what they belong to.
SMALL = """() => {
  const targets = "a[href], button, input:not([type=hidden]), select, textarea, summary", found = [];
  const inSentence = (each) => {
    if (getComputedStyle(each).display !== "inline") return false;
    const around = each.parentElement.cloneNode(true);
    around.querySelectorAll("a, button, time, code, .visually-hidden").forEach((other) => other.remove());
    return /\\p{L}{2}/u.test(around.textContent);
  };
  for (const each of document.querySelectorAll(targets)) {
    if (!each.checkVisibility({ visibilityProperty: true }) || each.closest(".skip, .visually-hidden, svg")) continue;
    let box = (each.closest("label") ?? each).getBoundingClientRect();
    if (box.width === 0 || (box.width >= 24 && box.height >= 24) || inSentence(each)) continue;
    each.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    box = each.getBoundingClientRect();
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const around = [[x, y - 11], [x, y + 11], [x - 11, y], [x + 11, y]].map(([x, y]) => document.elementFromPoint(x, y));
    if (around.every((hit) => each.contains(hit) || each === hit?.closest("label")?.control)) continue;
    const name = each.innerText || each.getAttribute("aria-label") || each.name || "";
    found.push(`${each.tagName} ${name.slice(0, 30)} ${Math.round(box.width)} by ${Math.round(box.height)}`);
  }
  return [...new Set(found)];
}"""


def test_everything_to_press_is_24_pixels_high_and_wide(ada: Person, desk: Desk, gateway: str) -> None:
    assert [problem for path in paths(furnish(ada, desk, gateway)) for problem in small(ada, path)] == []


def small(person: Person, path: str) -> Iterator[str]:
    person.open(path)
    for width in WIDTHS:
        person.page.set_viewport_size({"width": width, "height": 900})
        yield from (f"{path} at {width}: {what}" for what in person.page.evaluate(SMALL))
