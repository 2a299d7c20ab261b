"""The words of the product: plain, standard American English, and headings, links and buttons that say what they are about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

# What we do not write, and what we write instead.
INSTEAD: Final = {
    r"told": "notified, or say what is known",
    r"whoever": "anyone who",
    r"somebody|anybody": "someone, anyone",
    r"for ever": "permanently",
    r"lately": "recently",
    r"stands(?! for\b)": "is",
    r"all the same(?=[.,;: ]*$)": "anyway",
    r"mends?|mended": "fix",
    r"free slots?|slots? (?:in|of) your plan|slot of the plan": "room in the plan",
    r"leads? nowhere": "no longer works",
    r"(?:a|by|the) mail(?= and|[.,;:)]|$)|get a mail|unwanted mail": "e-mail",
    r"Forgotten your": "Forgot your",
    r"nobody needs it any more|not shown any more": "anymore",
    r"counts? on (?:the|your) plan": "count toward the plan",
    r"works? on(?=[.,;]| and\b)|live on(?=[.,;]|$)|go(?:es)? on(?:,| working)": "keeps working, continues",
    r"tick(?:ed)? (?:it|the box)": "select",
    r"pass (?:it|this link) on": "share",
    r"recogni[s](?:e[ds]?|ing)|organi[s]ations?|synchroni[s]e[ds]?|colou[r]s?|behaviou[r]s?": "American spelling",
}
_FORBIDDEN: Final = re.compile(rf"(?<![\w.`/-])(?:{'|'.join(INSTEAD)})(?![\w`-])", re.IGNORECASE | re.MULTILINE)
_PROSE: Final = ("docs", "client", "examples", "graphql/operations")
_PAGES: Final = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "graphql/schema.graphql")

# Shapes of a heading, link or button that say nothing to those who hear them alone.
_POINTING: Final = re.compile(r"\b(?:it|its|them|they|this one|that one|these|those|here|everything|something)\b", re.IGNORECASE)
_BARE: Final = re.compile(
    r"(?:see |read |show |and )?(?:more|all|which|now)|click|show|change|end|begin|watch|choose|filter|yes|no|ok|go|forget|details",
    re.IGNORECASE,
)

# How dates and times are written, with more or less of them where there is less room: 8 Nov 2026; Sun 8 Nov 2026, 16:13 CET.
FORMATS: Final = {
    "%-d %b %Y", "%a %-d %b %Y, %H:%M %Z",
    "%a %-d %b %Y", "%a %-d %b, %H:%M", "%a %-d %b", "%-d %b, %H:%M", "%-d %b", "%b %Y",
}  # fmt: skip

# Forms at the end of a page, or whose page has no other purpose than the form.
WITHOUT_CANCEL: Final = {
    "account/account.html": "settings",
    "workspace/settings.html": "settings",
    "members/list.html": "at the end of the page",
    "checklist/_attestation.html": "part of a page",
    "keys/leak.html": "parts of a page",
    "rotations/page.html": "part of a page",
    "sign_in/sign_in.html": "the way in",
    "sign_in/set_up.html": "the way in",
    "sign_in/new_password.html": "the way in",
    "sign_in/invitation.html": "one of its forms is the way in",
}


# Forms whose other link is not their way out.
ALSO_LEADS: Final = {"keys/review.html": "Back to editing"}


def templates(root: Path) -> list[Path]:
    return sorted((root / "templates").rglob("*.html"))


def strings(source: str) -> Iterator[str]:
    """The text constants of a module, docstrings too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def texts(root: Path) -> Iterator[tuple[str, str]]:
    """All that people read, by file."""
    for path in (*templates(root), *(root / name for name in _PAGES)):
        yield str(path.relative_to(root)), path.read_text()
    for path in (root / "static" / "js").glob("*.js"):
        yield str(path.relative_to(root)), path.read_text()
    for folder in ("app", *_PROSE):
        for path in (root / folder).rglob("*"):
            if path.suffix in (".md", ".graphql") and "node_modules" not in path.parts:
                yield str(path.relative_to(root)), path.read_text()
            elif path.suffix == ".py":
                yield str(path.relative_to(root)), "\n".join(strings(path.read_text()))


def test_no_text_has_a_word_for_which_there_is_a_plainer_one(root: Path) -> None:
    found = [(name, match[0]) for name, text in texts(root) for match in _FORBIDDEN.finditer(text)]
    assert found == []


def names(template: str) -> Iterator[str]:
    """What a screen reader says for each heading, link and button, as far as the template knows; `…` where a value belongs."""
    for element in re.finditer(r"<(h1|h2|h3|a|button|summary)\b((?:\{[{%].*?[}%]\}|[^>])*)>(.*?)</\1>", template, re.DOTALL):
        label = re.search(r'aria-label="((?:\{[{%].*?[}%]\}|[^"])*)"', element[2])
        inner = re.sub(r"<[^>{]*>", "", re.sub(r"<(?:\{[{%].*?[}%]\}|[^>])*>", "", label[1] if label else element[3]))
        yield from variants(inner)


def variants(inner: str) -> Iterator[str]:
    """The branches of `{% if %}` apart, and each text that an expression chooses from."""
    for branch in re.split(r"\{%.*?%\}", inner):
        chosen = [found for part in re.findall(r"\{\{(.*?)\}\}", branch) for found in re.findall(r"\"([^\"]+)\"", part)]
        around = re.sub(r"\{\{.*?\}\}", "…", branch).strip()
        yield from (around.replace("…", each, 1).strip() for each in chosen)
        if around and (around != "…" or not chosen):
            yield around


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ('<a href="{{ x > y }}">See {{ "it" if one else "them" }}</a>', ["See it", "See them", "See …"]),
        ('<button aria-label="Revoke {{ key.name }}">It</button>', ["Revoke …"]),
        ("<h2>{% if one %}This one{% else %}{{ name }}{% endif %}</h2>", ["This one", "…"]),
    ],
)
def test_the_names_of_a_template_are_found(template: str, named: list[str]) -> None:
    assert list(names(template)) == named


def test_headings_links_and_buttons_make_sense_alone(root: Path) -> None:
    guilty = [
        (str(path.relative_to(root / "templates")), name)
        for path in templates(root)
        for name in names(path.read_text())
        if _POINTING.search(name) or _BARE.fullmatch(name)
    ]
    assert guilty == []


def submissions(template: str) -> Iterator[str]:
    """The buttons of each form that changes something."""
    for form in re.findall(r'<form\b[^\n]*method="post".*?</form>', template, re.DOTALL):
        yield from (part for part in re.findall(r'<p class="buttons">.*?</p>', form, re.DOTALL) if "<button" in part)


def test_the_way_out_of_each_form_is_called_cancel(root: Path) -> None:
    guilty = []
    for path in templates(root):
        name = str(path.relative_to(root / "templates"))
        for buttons in submissions(path.read_text()):
            ways = re.findall(r"<a\b.*?>([^<]*)</a>", buttons)
            if any(way not in ("Cancel", ALSO_LEADS.get(name)) for way in ways) or (not ways and name not in WITHOUT_CANCEL):
                guilty.append((name, ways))
    assert guilty == []


def test_dates_are_written_alike_everywhere(root: Path) -> None:
    sources = [*templates(root), *(root / "app").rglob("*.py")]
    found = {text for path in sources for text in re.findall(r"(?:%-?[A-Za-z][ ,:]{0,2}){2,}", path.read_text()) if "%b" in text}
    assert found == FORMATS
