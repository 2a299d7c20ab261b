"""No process starts with a former pepper, because every key would look unknown."""

from __future__ import annotations

from tests.cli.conftest import Keydesk
from tests.conftest import PEPPER

SECOND, THIRD = (f"the {number} pepper for the tests and for nothing else" for number in ("second", "third"))
GONE_ON = "Wrong pepper: this database has gone on to another one (version 2). Without that one no key verifies."


def test_a_former_pepper_is_refused_alone_and_beside_a_new_one(elsewhere: Keydesk) -> None:
    elsewhere("migrate")
    # The documented steps, with a first step that is undone.
    elsewhere.under(KEYDESK_PEPPER_PREVIOUS=SECOND)("audit", "verify")
    elsewhere("audit", "verify")
    elsewhere.under(KEYDESK_PEPPER=SECOND, KEYDESK_PEPPER_PREVIOUS=PEPPER)("audit", "verify")
    for refused in (elsewhere, elsewhere.under(KEYDESK_PEPPER=THIRD, KEYDESK_PEPPER_PREVIOUS=PEPPER)):
        for command in (("audit", "verify"), ("doctor",), ("migrate",), ("serve",)):
            assert refused.refused(*command) == GONE_ON
    elsewhere.under(KEYDESK_PEPPER=SECOND)("audit", "verify")
    # Exchanged by mistake, and back.
    elsewhere.under(KEYDESK_PEPPER=PEPPER, KEYDESK_PEPPER_PREVIOUS=SECOND)("audit", "verify")
    elsewhere("audit", "verify")
