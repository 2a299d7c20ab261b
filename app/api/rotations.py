"""A workspace's pages of rotations."""

from __future__ import annotations

from app.api.framework.connection import Connection, page
from app.api.framework.context import Context
from app.api.framework.cursors import ConnectionArgs
from app.api.key_types import Rotation
from app.rotations import rotation as noun
from app.rotations import service
from app.tenancy.service import Access


async def rotations(context: Context, access: Access, given: ConnectionArgs, *, open_only: bool) -> Connection[Rotation]:
    """A page of a workspace's rotations, the newest first."""
    name = f"{access.workspace.id} rotations {open_only}"
    found = await service.page(access, given.of(name), open_only=open_only)
    now = await context.now()

    def position(progress: noun.Progress) -> tuple[int, str]:
        return (progress.rotation.started_at, progress.rotation.id)

    async def count() -> int:
        return await service.count(access, open_only=open_only)

    return page(name, found, node=lambda progress: Rotation.of(progress, now), position=position, count=count)
