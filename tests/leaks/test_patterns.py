"""What other scanners search for: published as it is generated, and tried with real secrets and, where possible, the scanner."""

from __future__ import annotations

import base64
import json
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from app import catalogue
from app.keys.secret import ALPHABET, PATTERN, KeyClass, generate
from app.leaks import patterns
from app.paths import DEFAULT_CATALOGUE

ROOT = Path(__file__).resolve().parent.parent.parent
PREFIXES = catalogue.load(DEFAULT_CATALOGUE).prefixes
PAGE = (ROOT / "docs" / "leaks.md").read_text()
RANDOM = random.Random(2026)


def expressions() -> dict[str, str]:
    """The expression in each published form, as its scanner reads it."""
    (rule,) = tomllib.loads(patterns.gitleaks(PREFIXES))["rules"]
    (detector,) = yaml.safe_load(patterns.trufflehog(PREFIXES))["detectors"]
    (plugin,) = re.findall(r're.compile\(r"(.+)"\)', patterns.detect_secrets(PREFIXES))
    return {"gitleaks": rule["regex"], "trufflehog": detector["regex"]["secret"], "detect-secrets": plugin}


def test_the_page_and_the_plugin_are_what_the_catalogue_generates() -> None:
    for text in (patterns.expression(PREFIXES), patterns.gitleaks(PREFIXES), patterns.trufflehog(PREFIXES)):
        assert f"\n{text.strip()}\n```" in PAGE
    assert (ROOT / "docs" / "examples" / "keydesk_detector.py").read_text() == patterns.detect_secrets(PREFIXES)


def test_each_scanner_gets_the_one_expression_which_is_the_real_one_with_these_prefixes() -> None:
    expected = patterns.expression(PREFIXES)
    assert set(expressions().values()) == {expected}
    assert expected == PATTERN.pattern.replace("[a-z][a-z0-9]{1,7}", "|".join(PREFIXES))
    assert patterns.expression(("fl", "old")) == PATTERN.pattern.replace("[a-z][a-z0-9]{1,7}", "(?:fl|old)")


@pytest.mark.parametrize("scanner", expressions())
def test_every_planted_key_is_found_and_random_text_is_not(scanner: str) -> None:
    sought = re.compile(expressions()[scanner])
    around = ["KEY={}", 'key: "{}"', "{{'x': '{}'}}", "Authorization: Bearer {}", "https://example.com/?key={}&a=1", "{}"]
    for number in range(100):
        secret = generate(PREFIXES[0], list(KeyClass)[number % 4])
        assert sought.findall(around[number % len(around)].format(secret)) == [secret]
    raw = RANDOM.randbytes(3_000_000)
    assert not sought.search(base64.b64encode(raw).decode()) and not sought.search(base64.urlsafe_b64encode(raw).decode())


def test_keywords_occur_in_every_secret() -> None:
    (rule,) = tomllib.loads(patterns.gitleaks(PREFIXES))["rules"]
    (detector,) = yaml.safe_load(patterns.trufflehog(PREFIXES))["detectors"]
    for kind in KeyClass:
        secret = generate(PREFIXES[0], kind)
        assert any(each in secret for each in rule["keywords"])
        assert any(each in secret for each in detector["keywords"])


def test_detect_secrets_finds_real_keys_with_the_plugin_and_checks_the_checksum(tmp_path: Path) -> None:
    false = f"fl_live_{''.join(RANDOM.choices(ALPHABET, k=38))}"
    lines = ["a = 1", f"key = '{generate('fl', 'live')}'", f"key = '{false}'", f"token: {generate('fl', 'gate')}"]
    (tmp_path / "settings.txt").write_text("\n".join(lines))
    plugin = ROOT / "docs" / "examples" / "keydesk_detector.py"
    command = [sys.executable, "-m", "detect_secrets", "scan", "--all-files", "--plugin", str(plugin), "settings.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = [each for each in json.loads(done.stdout)["results"].get("settings.txt", []) if each["type"] == "Keydesk secret"]
    assert sorted(each["line_number"] for each in found) == [2, 4]
