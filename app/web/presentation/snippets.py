"""How to use an API key: the environment variable that holds its secret, and requests and programs that read it from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app import catalogue
from app.keys.key import ApiKey
from app.verification.routes import SELF


@dataclass(frozen=True, slots=True)
class Snippet:
    """A way to use a key; `id` is that of its element, `hint` what there is to know about it."""

    id: str
    title: str
    text: str
    hint: str = ""


def variable() -> str:
    """The environment variable for a secret, `FL_API_KEY`."""
    return f"{catalogue.current().key_prefix.upper()}_API_KEY"


def snippets_for(key: ApiKey, origin: str) -> Sequence[Snippet]:
    """The ways to use a key, of which none contains its secret. The requests ask Keydesk about the key; the last one is the
    catalogue's request to the protected API."""
    name, address = variable(), f"{origin}{SELF}"
    python = (
        "import os, urllib.request\n\n"
        f'request = urllib.request.Request("{address}", headers={{"X-API-Key": os.environ["{name}"]}})\n'
        "print(urllib.request.urlopen(request).read().decode())"
    )
    node = (
        f'const response = await fetch("{address}", {{ headers: {{ "X-API-Key": process.env.{name} }} }});\n'
        "console.log(await response.json());"
    )
    middleware = (
        "import os\nfrom keydesk_client import KeydeskMiddleware\n\n"
        f'app = KeydeskMiddleware(\n    app,\n    url="{origin}",\n    token=os.environ["KEYDESK_GATEWAY_TOKEN"],\n'
        f'    permissions={{"GET /example": "{key.permissions[0]}"}},\n)'
    )
    asks = "Asks Keydesk whose key it is and what it may do."
    return (
        Snippet("check", "curl", f'curl {address} -H "X-API-Key: ${name}"', asks),
        Snippet("header", "Header", f"X-API-Key: ${name}", "Or the same after “Authorization: Bearer”."),
        Snippet("python", "Python", python, asks),
        Snippet("node", "Node", node, asks),
        Snippet("middleware", "Middleware", middleware, "In the API itself: lets no request pass without a key that may do this."),
        Snippet("try-it", "Your API", catalogue.current().try_it.replace("{key}", f"${name}"), "A request to the API itself."),
    )


def management_command(origin: str) -> str:
    """A request that answers with the effective scopes of the management key in the environment, whichever it has."""
    return (
        f'curl {origin}/graphql -H "Authorization: Bearer $KEYDESK_MANAGEMENT_KEY" -H "Content-Type: application/json"'
        """ -d '{"query": "{ viewer { effectiveScopes } }"}'"""
    )
