"""Members and invitations: who belongs to a workspace, as what, and who was asked to join."""
