"""Tenants: the workspace, who belongs to it, and the transaction in which anything of it changes."""
