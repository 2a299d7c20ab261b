"""Creates, changes and suspends workspaces, and remembers which one a user visited last."""
