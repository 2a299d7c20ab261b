"""How to use a new secret: the environment variable that holds it, and requests that read it from there."""

from __future__ import annotations

from dataclasses import dataclass

from app import catalogue
from app.verification.routes import SELF


@dataclass(frozen=True, slots=True)
class Snippets:
    """Only `variable` contains the secret. `curl`, `python` and `node` ask Keydesk about the key; `try_it` is the catalogue's
    request to the protected API."""

    variable: str
    curl: str
    python: str
    node: str
    try_it: str


def snippets_for(secret: str, origin: str) -> Snippets:
    known = catalogue.current()
    name, address = f"{known.key_prefix.upper()}_API_KEY", f"{origin}{SELF}"
    return Snippets(
        variable=f"{name}={secret}",
        curl=f'curl {address} -H "X-API-Key: ${name}"',
        python=(
            "import os, urllib.request\n\n"
            f'request = urllib.request.Request("{address}", headers={{"X-API-Key": os.environ["{name}"]}})\n'
            "print(urllib.request.urlopen(request).read().decode())"
        ),
        node=(
            f'const response = await fetch("{address}", {{ headers: {{ "X-API-Key": process.env.{name} }} }});\n'
            "console.log(await response.json());"
        ),
        try_it=known.try_it.replace("{key}", f"${name}"),
    )
