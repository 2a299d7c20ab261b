"""Audit events of members and invitations."""

from __future__ import annotations

from typing import Final

from app.noun import Event

INVITED: Final = Event("member.invited", "Invited {email} as {role}", published="Someone was invited to the workspace.")
JOINED: Final = Event("member.joined", "Joined as {role}", published="An invitation was accepted.")
ROLE_CHANGED: Final = Event(
    "member.role_changed", "Changed the role of {name} from {before} to {after}", published="A member got another role."
)
REMOVED: Final = Event("member.removed", "Ended the membership of {name}", published="A membership ended.")
INVITATION_WITHDRAWN: Final = Event(
    "invitation.withdrawn", "Withdrew the invitation of {email}", published="An invitation was withdrawn."
)

EVENTS: Final = (
    INVITED,
    JOINED,
    ROLE_CHANGED,
    REMOVED,
    INVITATION_WITHDRAWN,
)
