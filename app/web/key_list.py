"""The list of API keys: searched, filtered, sorted and paged, with the usage of the last days and the two keys of a rotation
together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litestar import Response, get
from litestar.di import NamedDependency

from app import catalogue
from app.access.policy import Action
from app.downloads import Format
from app.errors import NotFound
from app.keys import export
from app.keys import service as keys
from app.keys.filters import KeyFilter, Order, position_of
from app.keys.key import ApiKey, Status
from app.paging import Page as Found
from app.paging import Window
from app.plans import service as plans
from app.rotations import service as rotations
from app.rotations.rotation import Progress
from app.tenancy import service as tenancy
from app.usage import caller_service
from app.usage import service as usage
from app.usage.usage import Point
from app.web import key_form
from app.web.bulk_changes import CHANGES, Change
from app.web.first_steps import first_steps
from app.web.framework.downloads import Downloads
from app.web.framework.page import Page, with_query
from app.web.key_creation import LIST
from app.web.presentation.key_status import KeyStatus, status_in
from app.web.presentation.usage_chart import usage_spark
from app.web.request_log import request_id_in

PAGE_SIZE: Final = 25
SPARK_DAYS: Final = 14
SORTS: Final[Mapping[str, tuple[Order, bool]]] = {
    "newest": (Order.CREATED_AT, True),
    "oldest": (Order.CREATED_AT, False),
    "name": (Order.NAME, False),
    "name-z": (Order.NAME, True),
    "used": (Order.LAST_USED_AT, True),
    "unused": (Order.LAST_USED_AT, False),
    "expires": (Order.EXPIRES_AT, False),
    "expires-last": (Order.EXPIRES_AT, True),
    "rotate": (Order.ROTATE_BY, False),
    "rotate-last": (Order.ROTATE_BY, True),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A key of the list. `part` is its part in an open rotation: `old`, `new`, or empty; `days` its latest requests."""

    key: ApiKey
    status: KeyStatus
    part: str
    days: Sequence[Point]


@get(LIST)
async def listing(page: NamedDependency[Page]) -> Response[str]:
    asked = key_form.filter_from(page.query, page.now)
    if request_id := request_id_in(asked.search):
        return page.go(page.to("requests", request_id))
    key_filter = await caller_service.with_callers(page.access, asked)
    sort = page.query.get("sort") if page.query.get("sort") in SORTS else "newest"
    found = await _found(page, key_filter, sort or "newest")
    rows = await _rows(page, found.items)
    filters = key_form.nonempty_filters(page.query)
    return page.show(
        "keys/list.html",
        found=found,
        rows=rows,
        key_filter=key_filter,
        sort=sort,
        by_schedule=bool(key_filter.rotation) or sort in ("rotate", "rotate-last"),
        bulk=[
            (name, change) for name, change in CHANGES.items() if page.may(change.action) and _is_offered(change, rows, page.now)
        ],
        query_owner=_owner_name(found.items) if key_filter.owner else None,
        query_label=page.query["label"] if key_filter.labels else None,
        total=await keys.count(page.access, key_filter),
        steps=None if found.items or asked != KeyFilter() else await first_steps(page),
        is_filtered=asked != KeyFilter(),
        chosen_status=page.query.get("status", ""),
        meter=await plans.meter(page.access),
        catalogue=catalogue.current(),
        spark_days=SPARK_DAYS,
        usage_spark=usage_spark,
        rotate_by=lambda key: None if key.is_over(page.now) else key.rotate_by(_every(key)),
        files=[(form, with_query(f"{page.path}.{form}", **filters)) for form in Format],
        link=lambda **changed: with_query(page.path, **{**filters, **changed}),
    )


def _is_offered(change: Change, rows: Sequence[Row], now: int) -> bool:
    """Resuming only where a key is suspended."""
    return change.action is not Action.RESUME_API_KEY or any(row.key.status(now) is Status.SUSPENDED for row in rows)


@get([f"{LIST}.{form}" for form in Format])
async def file(page: NamedDependency[Page], downloads: NamedDependency[Downloads]) -> Response[Any]:
    """All keys that match the filters of the list, oldest first."""
    form = Format(page.path.rpartition(".")[2])
    key_filter = await caller_service.with_callers(page.access, key_form.filter_from(page.query, page.now))
    return downloads.stream(
        page.signed_in,
        page.access.workspace.id,
        export.of_workspace(page.access, key_filter, form),
        allowed=lambda: tenancy.reading(page.actor, page.slug, Action.READ_KEYS),
        media_type=form.media_type,
        file_name=f"{page.slug}-api-keys.{form}",
    )


async def _found(page: Page, key_filter: KeyFilter, sort: str) -> Found[ApiKey]:
    (order, descending), known = SORTS[sort], catalogue.current()
    after, before = [await _named(page, name) for name in ("after", "before")]
    window = Window(
        PAGE_SIZE,
        after=position_of(after, order, known, page.now) if after else None,
        before=position_of(before, order, known, page.now) if before else None,
        backwards=before is not None,
    )
    return await keys.page(page.access, window, key_filter, order, descending=descending)


async def _rows(page: Page, found: Sequence[ApiKey]) -> list[Row]:
    progress_by_key = await rotations.of_keys(page.access, found)
    shown = list(_in_pairs(found, progress_by_key))
    days = await usage.by_day(page.access, shown, SPARK_DAYS) if page.may(Action.READ_USAGE) else {}
    open_by_key = {key_id: each for each in progress_by_key.values() if each.is_open for key_id in each.rotation.key_ids}
    return [_row(page, key, open_by_key.get(key.id), days.get(key.id, ())) for key in shown]


def _in_pairs(found: Sequence[ApiKey], progress_by_key: Mapping[str, Progress]) -> Iterator[ApiKey]:
    """The keys in their order, but each one under rotation together with the other key, old before new, wherever that one is
    in the order."""
    seen = set[str]()
    for key in found:
        progress = progress_by_key.get(key.id)
        together = (progress.predecessor, progress.successor) if progress and progress.is_open else (key,)
        for each in together:
            if each.id not in seen:
                seen.add(each.id)
                yield each


def _row(page: Page, key: ApiKey, progress: Progress | None, days: Sequence[Point]) -> Row:
    part = "" if progress is None else "new" if progress.successor.id == key.id else "old"
    return Row(key, status_in(progress, key, page.now, page.zone), part, days)


def _owner_name(found: Sequence[ApiKey]) -> str:
    """The name of the owner by whom these keys were found."""
    return next((key.owner.name for key in found if key.owner is not None), "a member without keys")


def _every(key: ApiKey) -> int | None:
    return catalogue.current().environment(key.environment).rotate_every_days


async def _named(page: Page, name: str) -> ApiKey | None:
    """The key at which a page of the list begins or ends; an unknown one is ignored rather than showing an empty list."""
    key_id = page.query.get(name)
    with contextlib.suppress(NotFound):
        return await keys.find(page.access, key_id) if key_id else None
    return None


HANDLERS = (listing, file)
