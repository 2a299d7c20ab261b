"""A browser without JavaScript: pages, forms and a cookie, over real HTTP."""

from __future__ import annotations

import html
import re
from types import TracebackType

import httpx


class Visitor:
    """`address` is the node's; every answer is appended to `seen`."""

    def __init__(self, address: str) -> None:
        self.client = httpx.AsyncClient(base_url=address, headers={"origin": address}, timeout=60)
        self.csrf = ""
        self.seen: list[httpx.Response] = []

    async def __aenter__(self) -> Visitor:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.client.aclose()

    async def sign_in(self, email: str, password: str) -> str:
        """Signs in and returns the session's token, which the browser now has as its cookie."""
        answer = await self.post("/sign-in", email=email, password=password)
        assert answer.status_code == 303, answer.text
        await self.get("/account")
        (token,) = [cookie.value for cookie in self.client.cookies.jar if cookie.name == "keydesk-session"]
        return str(token)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Requests a page without following redirects, and remembers its form token."""
        answer = await self.client.get(path, headers=headers)
        if found := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = html.unescape(found.group(1))
        self.seen.append(answer)
        return answer

    async def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        """Submits a form with these fields and the form token of the last page."""
        answer = await self.client.post(path, data={"csrf": self.csrf} | fields)
        self.seen.append(answer)
        return answer
