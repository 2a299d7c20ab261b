"""Workspaces and memberships, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Noun
from app.tenancy.tables import InstallationRow, MemberRow, WorkspaceRow
from app.tenancy.workspace import MEMBER_ID, WORKSPACE_ID

NOUN: Final = Noun(
    "tenancy",
    tables=(WorkspaceRow, MemberRow, InstallationRow),
    id_prefixes=(
        WORKSPACE_ID,
        MEMBER_ID,
    ),
)
