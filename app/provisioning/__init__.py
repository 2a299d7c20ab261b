"""Workspaces as a whole: provided for a customer, created by a user, transferred to another owner, deleted."""
