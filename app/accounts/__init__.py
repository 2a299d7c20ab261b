"""People: passwords, sessions, and the one-time links that let somebody in."""
