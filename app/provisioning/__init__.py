"""Workspaces as a whole: provided for a customer, transferred to another owner, deleted."""
