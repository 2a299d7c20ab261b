"""Workspaces and memberships, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Noun
from app.tenancy.tables import InstallationRow, MemberRow, WorkspaceRow
from app.tenancy.workspace import MEMBER_ID, WORKSPACE_ID

NOUN: Final = Noun(
    "tenancy",
    tables=(WorkspaceRow, MemberRow, InstallationRow),
    id_prefixes=(
        WORKSPACE_ID,
        MEMBER_ID,
    ),
    exports=(
        Export(
            "workspace",
            "workspace",
            "id",
            "id slug name plan timezone business_days business_opens business_closes logs_requests created_at suspended_at"
            " deleted_at",
        ),
        Export("member", "member", "workspace", "id workspace account role created_at"),
    ),
)
