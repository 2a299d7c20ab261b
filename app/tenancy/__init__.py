"""Tenants: workspaces, their members, and access to them: for reading, and as the transaction that changes them."""
