"""Usage: the range that a page's URL chooses, and downloads of the counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app import clock
from app.access.policy import Action
from app.downloads import Format
from app.errors import ValidationFailed
from app.keys import service as keys
from app.tenancy import service as tenancy
from app.usage import export, ranges
from app.usage.ranges import FIELDS, Range
from app.web.framework.downloads import Downloads
from app.web.framework.form import Form
from app.web.framework.page import Page, with_query


@dataclass(frozen=True, slots=True)
class Choice:
    """The range of a page and, if the URL asks for an impossible one, the form with its faults; the range is then the default."""

    range: Range
    form: Form
    now: int
    path: str
    is_custom: bool

    @property
    def status(self) -> int:
        return 422 if self.form.faults else 200

    @property
    def context(self) -> dict[str, Any]:
        """What `usage/_usage.html` needs."""
        return {"choice": self, "form": self.form}

    @property
    def may_be_by_hours(self) -> bool:
        return self.range.may_be_by_hours(self.now)

    @property
    def titles(self) -> Mapping[str, str]:
        """The ranges to choose from."""
        return ranges.TITLES

    def link_with(self, **query: str | None) -> str:
        """The page with the same range and more arguments."""
        return with_query(self.path, **self.range.query, **query)

    def link(self, name: str) -> str:
        """The page with another range."""
        shown = {"from": self.range.first_day, "to": self.range.last_day} if name == ranges.CUSTOM else {}
        return with_query(self.path, range=None if name == ranges.DEFAULT else name, **shown)

    def by(self, step: str) -> str:
        """The page with the same range by `hours` or `days`."""
        return with_query(self.path, **{**self.range.query, "range": self.range.name, "by": step})

    def has_hours(self, day: int) -> bool:
        """Whether the hours of the day that begins then are still kept."""
        return day >= ranges.first_hour_kept(self.now)

    def hours_of(self, day: int) -> str:
        """The page with the hours of one day."""
        date = f"{clock.to_datetime(day):%Y-%m-%d}"
        return with_query(self.path, range=ranges.CUSTOM, **{"from": date, "to": date}, by="hours")

    def download(self, path: str) -> str:
        """The address of a download of what is shown."""
        return with_query(path, **self.range.query)


def choice(page: Page) -> Choice:
    """The range that the page's query chooses."""
    given = {name: page.query[name] for name in FIELDS if name in page.query}
    form = Form({name: [text] for name, text in given.items()})
    is_custom = given.get("range") == ranges.CUSTOM
    try:
        return Choice(ranges.chosen(given, page.now), form, page.now, page.path, is_custom)
    except ValidationFailed as problem:
        return Choice(ranges.default(page.now), form.refused(problem), page.now, page.path, is_custom or bool(form.faults))


@get([f"/w/{{slug:str}}/usage.{form}" for form in Format])
async def workspace_file(page: NamedDependency[Page], downloads: NamedDependency[Downloads]) -> Response[Any]:
    """The usage of all keys, in the same range as on the overview."""
    wanted = _wanted(page)
    return _file(page, downloads, export.of_workspace(page.access, *wanted), page.slug, *wanted)


@get([f"/w/{{slug:str}}/settings/api-keys/{{key_id:str}}/usage.{form}" for form in Format])
async def key_file(page: NamedDependency[Page], downloads: NamedDependency[Downloads], key_id: FromPath[str]) -> Response[Any]:
    """The usage of a key, in the same range as on its page."""
    key, wanted = await keys.find(page.access, key_id), _wanted(page)
    return _file(page, downloads, export.of_key(page.access, key, *wanted), f"{page.slug}-{key.id}", *wanted)


def _wanted(page: Page) -> tuple[Range, Format]:
    """Raises ValidationFailed for an impossible range."""
    return ranges.chosen(page.query, page.now, ranges.MOST_DAYS_EXPORTED_BY_HOURS), Format(page.path.rpartition(".")[2])


def _file(page: Page, downloads: Downloads, pieces: AsyncIterator[str], of: str, period: Range, form: Format) -> Response[Any]:
    return downloads.stream(
        page.signed_in,
        page.access.workspace.id,
        pieces,
        allowed=lambda: tenancy.reading(page.actor, page.slug, Action.READ_USAGE),
        media_type=form.media_type,
        file_name=f"{of}-usage-{period.first_day}-to-{period.last_day}.{form}",
    )


HANDLERS = (workspace_file, key_file)
