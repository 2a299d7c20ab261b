"""The runtime of a process is set completely or not at all, and released at the end."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app import catalogue, database, runtime, start
from app.errors import StartRefused
from app.settings import Settings

CATALOGUE = Path(catalogue.__file__).with_name("catalogue.toml")


async def test_a_second_start_is_refused_and_changes_nothing(opened: None, settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "catalogue.toml"
    other.write_text(CATALOGUE.read_text().replace('prefix = "fl"', 'prefix = "zz"'))
    before = catalogue.current(), database.engine()
    with pytest.raises(StartRefused, match="already open"):
        async with start.opened(replace(settings, catalogue=other, database_url=f"sqlite:///{tmp_path}/other.db"), make=True):
            pass
    assert (catalogue.current(), database.engine()) == before
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.toml"]
    assert await database.fetch("SELECT 1 AS one") == [{"one": 1}]


AGAIN = """
import asyncio, contextlib, sys
from app import catalogue, database, mail, runtime, start
from app.access.actor import Actor
from app.authentication import service as authentication
from app.errors import StartRefused
from app.settings import Settings

def settings(name, pepper):
    folder = sys.argv[1]
    return Settings.load({
        "KEYDESK_DATABASE_URL": f"sqlite:///{folder}/{name}.db", "KEYDESK_PEPPER": pepper * 40,
        "KEYDESK_REVOCATION_JOURNAL": f"{folder}/{name}.jsonl", "KEYDESK_MAIL_FOLDER": f"{folder}/mail", "KEYDESK_DEV": "1",
    })

async def users(name, pepper, *, add=False):
    async with start.opened(settings(name, pepper), make=True):
        if add:
            asked = {"email": f"{name}@example.org", "name": name, "workspace": name, "password": "quite a long horse story 7"}
            await authentication.create_owner(Actor.operator(), **asked)
        return [row["email"] for row in await database.fetch("SELECT email FROM account")]

def is_closed():
    for part in (catalogue.current, mail.current, database.engine):
        with contextlib.suppress(RuntimeError):
            part()
            return False
    return True

async def main():
    assert is_closed()
    assert await users("one", "a", add=True) == ["one@example.org"]
    assert is_closed()
    # Another database in the same process, also through tables that were used before.
    assert await users("two", "b", add=True) == ["two@example.org"]
    with contextlib.suppress(StartRefused):
        await users("one", "b")
        raise AssertionError("the wrong pepper was taken")
    # What was refused has left nothing behind.
    assert is_closed()
    assert await users("one", "a") == ["one@example.org"]

asyncio.run(main())
"""


def test_a_process_can_open_another_installation_after_it_closed_one_or_was_refused(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_parts_can_be_replaced_temporarily() -> None:
    with runtime.replaced("one", 1):
        with runtime.replaced("two"):
            runtime.put(2)
            assert (runtime.current(str), runtime.current(int)) == ("two", 2)
        assert (runtime.current(str), runtime.current(int)) == ("one", 1)
    with pytest.raises(RuntimeError, match="no int"):
        runtime.current(int)
