"""Settings from the environment: the address of Keydesk, the gateway token, and the port of this API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class SettingsRefused(Exception):
    """A variable is missing or wrong; the message says which, and never shows the token."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`KEYDESK_URL`, `KEYDESK_GATEWAY_TOKEN` and `PDF_API_PORT`."""

    keydesk_url: str = "http://127.0.0.1:8000"
    gateway_token: str = field(repr=False)
    port: int = 8100

    @classmethod
    def load(cls, environment: Mapping[str, str]) -> Settings:
        """Raises SettingsRefused."""
        if not (token := environment.get("KEYDESK_GATEWAY_TOKEN", "").strip()):
            raise SettingsRefused("KEYDESK_GATEWAY_TOKEN is missing; `keydesk gateway-token create pdf-api` prints one.")
        url = environment.get("KEYDESK_URL") or cls.keydesk_url
        return cls(keydesk_url=url, gateway_token=token, port=_port(environment.get("PDF_API_PORT") or str(cls.port)))


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 65_535):
        raise SettingsRefused(f"PDF_API_PORT is a number from 1 to 65535, not {text!r}.")
    return int(text)
