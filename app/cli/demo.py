"""Creates the demo workspace."""

from __future__ import annotations

from app.cli.runner import OPERATOR, Result, command, settings
from app.demo import service


@command("demo", make=True)
async def demo() -> Result:
    """Make a workspace with keys and 60 days of usage.

    Its owner is ada@example.com. The first time a password for her is printed, once; later a link to choose a new one, which
    works once, for an hour. Made again, it makes nothing twice: the usage goes on up to now.
    """
    made = await service.make(OPERATOR)
    url = f"{settings().origin}/w/{made.workspace.slug}"
    data = {"workspace": made.workspace.slug, "url": url, "email": made.owner.email, "password": made.password, "link": made.link}
    how = "with this password, shown this once" if made.password else "after choosing a password here"
    notes = (f"The workspace {made.workspace.name} is at {url}", f"Sign in as {made.owner.email} {how}:")
    return Result(data, (made.password or made.link or "",), notes)
