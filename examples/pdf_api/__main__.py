"""`python -m examples.pdf_api` serves the API on 127.0.0.1, in one process, because the PDFs are in its memory."""

from __future__ import annotations

import os
import sys

from granian import Granian
from granian.constants import Interfaces

from examples.pdf_api.settings import Settings, SettingsRefused


def main() -> None:
    try:
        settings = Settings.load(os.environ)
    except SettingsRefused as refused:
        sys.exit(str(refused))
    Granian("examples.pdf_api.api:create", factory=True, interface=Interfaces.ASGI, port=settings.port).serve()


if __name__ == "__main__":
    main()
