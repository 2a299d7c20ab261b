"""The declaration of a noun. Migrations, backups, the audit log's text, background work and tests read it, so that a new noun
is added to one list, `app/nouns.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[int], Awaitable[Any]]
Wanted: TypeAlias = Callable[[int], Awaitable[bool]]
Purge: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Event:
    """An audit event: its name (`key.revoked`), and a sentence about it for users.

    The sentence may contain, in braces, fields of the entry's detail, and `{changed}`: the names of all changed settings.
    `published`: what the event means to the receiver of a webhook; empty if it is not sent to any.
    """

    name: str
    sentence: str
    published: str = ""

    def about(self, detail: Mapping[str, Any]) -> str:
        """The sentence with this detail; what is missing there becomes an ellipsis."""
        changed = ", ".join(name.replace("_", " ") for name, value in detail.items() if isinstance(value, dict))
        return self.sentence.format_map(_Detail({"changed": changed, **detail}))


class _Detail(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


@dataclass(frozen=True, slots=True)
class Job:
    """Idempotent work that one node at a time does.

    `work` receives the database's time (microseconds), and starts at most once in `every_seconds`. `wanted` is an optional
    cheap check: if it is False, the job does not start, so that an idle database is not written to.
    """

    name: str
    every_seconds: int
    work: Work
    wanted: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """How `keydesk export` writes the rows of a table: `type` names them, and only the `columns` are in it, with blanks between.

    `digests`: those that are added with `--digests`. `of`: the column that leads to a workspace; `account`, for people, by
    their membership; or `installation`, for what belongs to none.
    """

    type: str
    table: str
    of: str
    columns: str
    digests: str = ""


@dataclass(frozen=True, slots=True)
class Noun:
    """`tables` in the order of their references; `unsaved`: those that backups leave out.

    `purges` delete expired rows, once a minute on every node. `id_prefixes`: the first three letters of its ids. `exports`: what of
    it an export contains.
    """

    name: str
    tables: tuple[type[Any], ...] = ()
    unsaved: tuple[type[Any], ...] = ()
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()
    purges: tuple[Purge, ...] = ()
    id_prefixes: tuple[str, ...] = ()
    exports: tuple[Export, ...] = ()
