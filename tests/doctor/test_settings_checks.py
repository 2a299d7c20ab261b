"""`doctor`: its checks of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.doctor.finding import Level
from app.doctor.settings_checks import of_settings
from app.settings import Settings

GOOD = {
    "KEYDESK_DATABASE_URL": "postgresql://keydesk:a-password@db/keydesk",
    "KEYDESK_PEPPER": "a pepper for the tests and for nothing else at all",
    "KEYDESK_PUBLIC_URL": "https://keys.example.com",
    "KEYDESK_SMTP_URL": "smtps://keydesk:mail-password@mail.example.com",
    "KEYDESK_TRUSTED_PROXIES": "10.0.0.0/8",
    "KEYDESK_GATEWAY_TOKENS": "a-gateway-token-of-the-settings-for-the-tests",
}


def said(**variables: str) -> dict[str, Level]:
    """The findings that are not `ok`, by check."""
    return {each.what: each.level for each in of_settings(Settings.load(GOOD | variables)) if each.level is not Level.OK}


def test_a_check_without_a_fault_is_ok() -> None:
    assert said() == {}


@pytest.mark.parametrize(
    ("variables", "what", "level"),
    [
        ({"KEYDESK_DEV": "1"}, "cookies", Level.WARN),
        ({"KEYDESK_PUBLIC_URL": "http://keys.example.com"}, "address", Level.FAIL),
        ({"KEYDESK_PUBLIC_URL": ""}, "address", Level.WARN),
        ({"KEYDESK_TRUSTED_PROXIES": "10.0.0.5,0.0.0.0/0"}, "proxies", Level.FAIL),
        ({"KEYDESK_TRUSTED_PROXIES": "2000::/3"}, "proxies", Level.FAIL),
        ({"KEYDESK_SMTP_URL": "smtp://mail.example.com"}, "mail", Level.WARN),
        ({"KEYDESK_LOG_LEVEL": "DEBUG"}, "logs", Level.WARN),
    ],
)
def test_each_weakness_is_named(variables: dict[str, str], what: str, level: Level) -> None:
    assert said(**variables) == {what: level}


def test_no_finding_contains_a_secret() -> None:
    text = "\n".join(finding.text for finding in of_settings(Settings.load(GOOD)))
    for secret in ("a-password", "mail-password", GOOD["KEYDESK_PEPPER"], GOOD["KEYDESK_GATEWAY_TOKENS"]):
        assert secret not in text


def test_files_that_others_may_read_and_a_pepper_beside_its_database_are_named(tmp_path: Path) -> None:
    for name, mode in (("keydesk.db", 0o640), ("pepper", 0o644), ("revocations.jsonl", 0o600)):
        (tmp_path / name).touch(mode=mode)
        (tmp_path / name).chmod(mode)
    settings = Settings.load(
        {"KEYDESK_DATABASE_URL": f"sqlite:///{tmp_path}/keydesk.db", "KEYDESK_PUBLIC_URL": "https://a.example"}
    )
    found = {(each.what, each.level): each.text for each in of_settings(settings)}
    assert found["database", Level.FAIL].startswith(f"{tmp_path}/keydesk.db has mode 0640: ")
    assert found["pepper", Level.FAIL].endswith(f"chmod 600 {tmp_path}/pepper")
    assert found["pepper", Level.WARN].startswith("lies beside the database")
    assert found["journal", Level.OK] == f"{tmp_path}/revocations.jsonl has mode 0600"


def test_a_mail_folder_that_others_may_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    wanted = {"KEYDESK_SMTP_URL": "", "KEYDESK_MAIL_FOLDER": str(folder)}
    assert said(**wanted) == {}
    folder.mkdir(mode=0o700)
    assert said(**wanted) == {}
    folder.chmod(0o750)
    assert said(**wanted) == {"mail": Level.FAIL}
