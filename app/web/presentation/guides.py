"""The guides of `docs/` as pages: rendered from Markdown at first use, their links lead to each other, and their commands to
this installation."""

from __future__ import annotations

import mimetypes
import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from app.errors import NotFound
from app.paths import DOCS

PATH: Final = "/docs"
INDEX: Final = "README.md"
# Where Keydesk listens in the guides; and the blocks in which a reader of this installation needs its own address. In a
# gateway's configuration the example is right: a proxy that led to the public address would lead to itself.
EXAMPLE_ORIGIN: Final = "http://127.0.0.1:8000"
_COMMANDS: Final = {"sh", "python"}
SUFFIXES: Final = {".md", ".json", ".png", ".svg", ".py"}
# The guides that help on a page of a workspace: of the first pattern that its path contains.
_ABOUT: Final = (
    (re.compile("/rotation"), ("rotation",)),
    (re.compile("/leak$"), ("leaks",)),
    (re.compile("/requests"), ("requests", "verification")),
    (re.compile("/settings/api-keys"), ("verification", "client", "gateways", "rotation")),
    (re.compile("/alerts|/settings/(alert-mail|calendar)"), ("alerts",)),
    (re.compile("/checklist"), ("checklist",)),
    (re.compile("/settings/management-keys"), ("graphql",)),
    (re.compile("/settings/webhooks"), ("webhooks",)),
    (re.compile(""), ("dashboard", "verification")),
)
_ABSOLUTE: Final = re.compile(r"[a-z][a-z0-9+.-]*:")


@dataclass(frozen=True, slots=True)
class Heading:
    """A section of a guide: its text and the anchor of its address."""

    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Guide:
    title: str
    body: Markup
    sections: tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file that guides link to, as it is."""

    content: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A guide in the table of contents."""

    title: str
    address: str


@cache
def guide(name: str, origin: str = EXAMPLE_ORIGIN) -> Guide:
    """The guide of `/docs/<name>`, for a Keydesk at `origin`; the name is empty for the index. Raises NotFound."""
    file = _source(name)
    body, headings = rendered((DOCS / file).read_text(encoding="utf-8"), posixpath.dirname(file), origin)
    (title,) = (text for level, text, _ in headings if level == "h1")
    return Guide(title, body, tuple(Heading(text, anchor) for level, text, anchor in headings if level == "h2"))


def rendered(text: str, folder: str = "", origin: str = EXAMPLE_ORIGIN) -> tuple[Markup, list[tuple[str, str, str]]]:
    """Markdown as HTML; and level, text and anchor of each heading. `folder`: where its relative links begin."""
    tokens = _markdown().parse(text)
    headings = _anchored(tokens)
    _relink(tokens, folder)
    html = _markdown().renderer.render(tokens, _markdown().options, {"origin": origin})
    return Markup(html), headings  # noqa: S704  # HTML is escaped


@cache
def file(name: str) -> File:
    """What is at `/docs/<name>` and not a guide. Raises NotFound."""
    if name not in _files() or name.endswith(".md"):
        raise NotFound("page")
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    return File((DOCS / name).read_bytes(), "text/plain" if kind.startswith("text/") else kind)


@cache
def contents() -> dict[str, list[Entry]]:
    """The guides by the headings of the index, in its order."""
    found: dict[str, list[Entry]] = {}
    tokens = _markdown().parse((DOCS / INDEX).read_text(encoding="utf-8"))
    _relink(tokens, "")
    for before, token in pairwise(tokens):
        if before.type == "heading_open" and before.tag == "h2":
            found[token.content] = []
        elif found and token.type == "inline" and token.children and token.children[0].type == "link_open":
            link, text = token.children[:2]
            found[next(reversed(found))].append(Entry(text.content, str(link.attrs["href"])))
    return found


def about(path: str) -> list[Entry]:
    """The guides that help on this page."""
    names = next(names for pattern, names in _ABOUT if pattern.search(path))
    known = {entry.address: entry for entries in contents().values() for entry in entries}
    return [known[f"{PATH}/{name}"] for name in names]


def _source(name: str) -> str:
    """The file of a guide. Raises NotFound."""
    for path in (f"{name}.md", posixpath.join(name, INDEX)):
        if path in _files() and posixpath.basename(name) != "README":
            return path
    raise NotFound("page")


@cache
def _files() -> frozenset[str]:
    return frozenset(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*") if path.suffix in SUFFIXES)


@cache
def _markdown() -> MarkdownIt:
    """CommonMark with tables, as in the guides; HTML in them would be shown, not used."""
    found = MarkdownIt("commonmark", {"html": False}).enable("table")
    found.add_render_rule("fence", _fence)
    found.add_render_rule("heading_close", _heading_close)
    found.add_render_rule("th_open", _th_open)
    found.add_render_rule("table_open", lambda *_: '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table>\n')
    found.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return found


def _fence(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A block of code with a button that copies it."""
    code = tokens[index].content.rstrip("\n")
    text = escape(code.replace(EXAMPLE_ORIGIN, env["origin"]) if tokens[index].info in _COMMANDS else code)
    words = 'Copy<span class="visually-hidden"> code</span>'
    button = f'<button type="button" class="button less" data-copy="code-{index}" aria-live="polite">{words}</button>'
    return f'<div class="copyable"><pre id="code-{index}" tabindex="0">{text}</pre>{button}</div>\n'


def _heading_close(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """The end of a heading, with a link to it."""
    heading, text = tokens[index - 2], tokens[index - 1].content.replace("`", "")
    link = f' <a class="anchor" href="#{heading.attrs["id"]}" aria-label="Link to: {escape(text)}">#</a>'
    return f"{link if heading.tag != 'h1' else ''}</{heading.tag}>\n"


def _th_open(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A cell at the top of a column; without text it heads nothing."""
    if not tokens[index + 1].content:
        tokens[index].tag = tokens[index + 2].tag = "td"
    return self.renderToken(tokens, index, options, env)


def _anchored(tokens: Sequence[Token]) -> list[tuple[str, str, str]]:
    """Gives each heading the anchor that the usual viewers give it; returns level, text and anchor of each."""
    seen, found = Counter[str](), []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            anchor = re.sub(r"[^\w\- ]", "", inline.content.lower()).replace(" ", "-")
            seen[anchor] += 1
            opening.attrSet("id", anchor if seen[anchor] == 1 else f"{anchor}-{seen[anchor] - 1}")
            found.append((opening.tag, text, str(opening.attrs["id"])))
    return found


def _relink(tokens: Sequence[Token], folder: str) -> None:
    """Makes links between files of `docs/` links between pages. What lies outside is only in the source: its link becomes text."""
    for children in (token.children for token in tokens if token.children):
        opened: list[Token] = []
        for child in children:
            if child.type == "link_close":
                child.tag = opened.pop().tag
            elif child.type == "image":
                _lead(child, "src", folder)
            elif child.type == "link_open":
                _lead(child, "href", folder)
                opened.append(child)


def _lead(token: Token, name: str, folder: str) -> None:
    target = str(token.attrs[name])
    path, hash, anchor = target.partition("#")
    there = posixpath.normpath(posixpath.join(folder, path))
    if _ABSOLUTE.match(target):
        token.attrSet("rel", "noopener noreferrer")
    elif path and (address := _address(there)) is not None:
        token.attrSet(name, f"{address}{hash}{anchor}")
    elif path:
        token.tag, token.attrs = "span", {"title": f"In the source of Keydesk: {there.removeprefix('../')}"}


def _address(path: str) -> str | None:
    """The page of a file or folder under `docs/`, None for any other."""
    if path in _files():
        return f"{PATH}/{path.removesuffix(INDEX).removesuffix('.md')}".rstrip("/")
    return f"{PATH}/{path}" if posixpath.join(path, INDEX) in _files() else None
