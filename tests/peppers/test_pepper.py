"""Peppers: found or refused, recognized, and wrapping keys that only they can unwrap."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import runtime
from app.errors import StartRefused
from app.peppers import service
from app.peppers.pepper import Pepper, Peppers
from app.settings import Settings

A = Pepper(1, b"a" * 32)
B = Pepper(2, b"b" * 32)


def settings(tmp_path: Path, **more: str) -> Settings:
    return Settings.load({"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db"} | more)


def test_a_first_start_creates_a_private_pepper_and_later_starts_use_it(tmp_path: Path) -> None:
    first = service.read(settings(tmp_path)).current
    assert len(first) >= 32
    assert (tmp_path / "pepper").stat().st_mode & 0o777 == 0o600
    assert service.read(settings(tmp_path)).current == first


def test_an_existing_database_without_its_pepper_gets_no_new_one(tmp_path: Path) -> None:
    (tmp_path / "keydesk.db").write_bytes(b"something")
    with pytest.raises(StartRefused, match="cannot be read"):
        service.read(settings(tmp_path))


def test_a_short_pepper_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="32 bytes"):
        service.read(settings(tmp_path, KEYDESK_PEPPER="x" * 31))


def test_postgresql_requires_a_pepper() -> None:
    with pytest.raises(StartRefused, match="KEYDESK_PEPPER_FILE"):
        service.read(Settings.load({"KEYDESK_DATABASE_URL": "postgresql:///k"}))


def test_a_trailing_newline_is_not_part_of_the_pepper(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("y" * 40 + "\n")
    assert service.read(settings(tmp_path, KEYDESK_PEPPER_FILE=str(tmp_path / "file"))).current == b"y" * 40


def test_digests_depend_on_pepper_and_secret_and_name_the_current_first() -> None:
    assert Peppers(B, A).digests("s") == (B.digest("s"), A.digest("s"))
    assert len({A.digest("s"), A.digest("t"), B.digest("s")}) == 3


def test_a_wrapped_key_comes_back_under_its_own_pepper_and_context_only() -> None:
    key = bytes(range(32))
    wrapped = Peppers(A).wrap(key, "wsp_1")
    assert key not in wrapped
    assert Peppers(B, A).unwrap(wrapped, "wsp_1") == key
    assert not Peppers(B, A).is_current(wrapped)
    assert Peppers(A).unwrap(wrapped, "wsp_2") != key
    with pytest.raises(LookupError):
        Peppers(B).unwrap(wrapped, "wsp_1")


def test_a_pepper_is_never_shown() -> None:
    assert "aaaa" not in repr(Peppers(A))


@pytest.mark.parametrize("happen", ["removed", "replaced", "emptied"])
async def test_a_pepper_file_that_changes_under_a_running_node_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, happen: str
) -> None:
    path = tmp_path / "pepper"
    path.write_text("p" * 40 + "\n")
    given = service.read(Settings.load({"KEYDESK_PEPPER_FILE": str(path)}))
    runtime.put(Peppers(Pepper(1, given.current), file=given.file))
    await service.watch()
    assert caplog.text == ""
    if happen == "removed":
        path.unlink()
    else:
        path.write_text("q" * 40 if happen == "replaced" else "")
    await service.watch()
    assert f"{path} no longer holds the pepper of this process" in caplog.text
