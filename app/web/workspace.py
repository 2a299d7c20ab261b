"""The settings of a workspace: its name and its time zone. Business hours, which nothing watches yet, are left to GraphQL."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.errors import Problem, ValidationFailed
from app.versions import Stale
from app.web.page import Page
from app.web.people_form import again
from app.workspaces import rules
from app.workspaces import service as workspaces

SETTINGS: Final = "/w/{slug:str}/settings/workspace"


@get(SETTINGS)
async def settings(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    return _settings(page)


@post(SETTINGS, status_code=200)
async def change(page: NamedDependency[Page], slug: FromPath[str]) -> Response[str]:
    asked = page.form
    try:
        await workspaces.update(
            page.actor,
            page.slug,
            name=asked.text("name"),
            timezone=asked.text("timezone"),
            seen=asked.text("seen") or None,
        )
    except Stale:
        return _settings(page, stale=True)
    except ValidationFailed as problem:
        return _settings(page, problem)
    return page.go(page.to("settings", "workspace", done="yes"))


@cache
def zones() -> Mapping[str, tuple[str, ...]]:
    """Time zones by the part of the world that their names begin with; those without one come first."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(rules.timezones(), key=lambda name: ("/" in name, name)):
        grouped.setdefault(name.partition("/")[0] if "/" in name else "General", []).append(name)
    return {region: tuple(names) for region, names in grouped.items()}


def _settings(page: Page, problem: Problem | None = None, *, stale: bool = False) -> Response[str]:
    """`stale`: the form is shown with what was typed, beside what somebody else has made of the settings meanwhile."""
    place = page.here.workspace
    context: dict[str, Any] = {"place": place, "zones": zones(), "stale": stale}
    if problem:
        return again(page, "workspace/settings.html", problem, **context)
    return page.show("workspace/settings.html", 409 if stale else 200, **context)


HANDLERS = (settings, change)
