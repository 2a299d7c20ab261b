"""The members of a workspace with their roles, and invitations to join it."""
