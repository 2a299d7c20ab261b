"""Authentication: initial set-up, sign-in, and password changes and resets."""
