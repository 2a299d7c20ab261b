"""One-time links: for the first set-up, invitations and password resets."""
