"""`keydesk` with longer time limits for verification, for tests of something else on a busy machine."""

from __future__ import annotations

from app.cli import main
from tests.support.time_limits import extend_until_exit

if __name__ == "__main__":
    extend_until_exit()
    main(prog_name="keydesk")
