"""The list answers every search text."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.conftest import Team, make_key
from tests.web.conftest import Browser


@pytest.mark.parametrize("text", ["x" * 201, "x" * 40_000, "%" * 20_000, "fl_live_" + "a" * 40_000, "é" * 10_000])
async def test_a_very_long_search_text_is_truncated_and_finds_nothing(viewer: Browser, team: Team, text: str) -> None:
    await make_key(team)
    address = f"/w/acme/settings/api-keys?{urlencode({'q': text})}"
    assert (await viewer.open(address)).status_code == 200
    assert "Production server" not in viewer.page and text[:201] not in viewer.page
    assert (await viewer.open(address, **{"HX-Request": "true", "HX-Target": "main#main"})).status_code == 200
