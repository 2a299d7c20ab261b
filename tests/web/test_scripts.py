"""The scripts of a page share one scope: a name declared by two of them would silently belong to the last."""

from __future__ import annotations

import re

from app.paths import STATIC

DECLARED = re.compile(r"^(?:async )?(?:function\*?|const|let|class) (\w+)", re.MULTILINE)


def test_no_two_scripts_declare_the_same_name() -> None:
    scripts = sorted((STATIC / "js").glob("*.js"))
    names = [name for script in scripts for name in set(DECLARED.findall(script.read_text(encoding="utf-8")))]
    assert len(scripts) > 3 and sorted(names) == sorted(set(names))
