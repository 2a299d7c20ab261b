"""Windows over a list that was read whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.paging import Page, Position, Window


def at(number: int) -> Position:
    return (number,)


@pytest.mark.parametrize("backwards", [False, True])
@given(numbers=st.lists(st.integers(0, 30), unique=True).map(sorted), limit=st.integers(1, 5))
def test_pages_meet_every_entry_once_in_the_lists_order(backwards: bool, numbers: list[int], limit: int) -> None:
    met: list[int] = []
    window, more = Window(limit, backwards=backwards), True
    while more:
        page = window.page_of_all(numbers, at)
        assert len(page.items) <= limit and list(page.items) == sorted(page.items)
        met = [*page.items, *met] if backwards else [*met, *page.items]
        more = page.has_previous if backwards else page.has_next
        if more and backwards:
            window = Window(limit, before=at(page.items[0]), backwards=True)
        elif more:
            window = Window(limit, after=at(page.items[-1]))
    assert met == numbers


def test_a_page_knows_what_lies_on_either_side() -> None:
    numbers = list(range(9))
    assert Window(3).page_of_all(numbers, at) == Page((0, 1, 2), has_next=True, has_previous=False)
    assert Window(3, after=at(5)).page_of_all(numbers, at) == Page((6, 7, 8), has_next=False, has_previous=True)
    assert Window(3, before=at(5), backwards=True).page_of_all(numbers, at) == Page((2, 3, 4), has_next=True, has_previous=True)
    assert Window(9, after=at(1), before=at(4)).page_of_all(numbers, at) == Page((2, 3), has_next=False, has_previous=True)
    assert Page((1, 2), True, False).of("ab") == Page(("a", "b"), True, False)
