"""Tenants: the workspace, who belongs to it, and the two ways in: reading it, and the transaction that changes it."""
