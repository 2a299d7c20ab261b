"""A refused start prints one line and creates nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.processes import answer, python

TRY = """
import asyncio, json, sys
from app import start
from app.cli.runner import CommandGroup
from app.settings import Settings
import click

async def opened(settings):
    async with start.opened(settings, make=True):
        pass

def one(url):
    try:
        settings = Settings.load({"KEYDESK_DATABASE_URL": url})
        CommandGroup(callback=lambda: asyncio.run(opened(settings)), invoke_without_command=True)([], standalone_mode=False)
    except click.ClickException as refusal:
        return refusal.format_message()

print(json.dumps([one(url) for url in json.loads(sys.argv[1])]))
"""


def test_an_invalid_database_path_is_refused_in_one_line_and_creates_no_pepper(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    paths = [f"{tmp_path}/folder", "/dev/full", "/dev/null", ".", "..", f"{tmp_path}/{'x' * 252}", f"{tmp_path}/{'x' * 300}"]
    paths += [f"{tmp_path}/file/keydesk.db", f"{tmp_path}/folder/.."]
    told = json.loads(answer(python(TRY, {}, json.dumps([f"sqlite:///{path}" for path in paths]))))
    for path, line in zip(paths, told, strict=True):
        assert line and "\n" not in line and "pepper" not in line, path
        assert path.rpartition("/keydesk.db")[0] in line or "too long" in line, line
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["file", "folder"]
    assert not Path("/dev/pepper").exists() and not Path("pepper").exists()
