"""An application that uses an API key: it reads the key from a file before each request and verifies it as its API would.

`python application.py URL KEY_FILE LOG USER_AGENT IP` runs until it is killed. APPLICATION_TOKEN contains the gateway token. It
writes a line per answer to LOG: the code and the id of the key, or the error.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import httpx


def main(url: str, key_file: str, log: str, user_agent: str, ip: str) -> None:
    headers = {"authorization": f"Bearer {os.environ['APPLICATION_TOKEN']}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as http, open(log, "a") as lines:
        while True:
            asked = {"key": Path(key_file).read_text().strip(), "permission": "pdf.read", "ip": ip, "userAgent": user_agent}
            try:
                answer = http.post("/v1/verify", json=asked).json()
                lines.write(f"{answer['code']} {answer.get('keyId')}\n")
            except (httpx.HTTPError, KeyError, ValueError) as error:
                lines.write(f"UNANSWERED {type(error).__name__}\n")
            lines.flush()
            time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
