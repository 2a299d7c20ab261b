"""The environment in which all templates are rendered: their filters and the functions that any of them may call."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.keys import labels
from app.paths import TEMPLATES
from app.web.presentation import audit_text, filters, guides, navigation
from app.web.presentation.key_status import moved_words
from app.web.presentation.snippets import variable
from app.web.presentation.usage_chart import usage_chart
from app.web.presentation.way_back import way_back

_FILTERS: Final = {
    each.__name__: each
    for each in (
        *(filters.number, filters.compact, filters.percent, filters.plural, filters.reason),
        *(filters.relative, filters.exact, filters.day, filters.hour, filters.time_of_day, filters.when, filters.input_time),
        *(audit_text.sentence, audit_text.linked, audit_text.outcome, audit_text.verdict, moved_words),
    )
}


def environment(**functions: Any) -> Environment:
    """Escapes every value, and fails on a name that is not defined. `functions` depend on the installation's settings."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters.update(_FILTERS, label=labels.shown)
    found.globals.update(
        usage_chart=usage_chart,
        navigation=navigation,
        guides_about=guides.about,
        way_back=way_back,
        key_variable=variable,
        version=version("keydesk"),
        **functions,
    )
    return found
