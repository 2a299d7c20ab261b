"""Throttling: how often a password may be tried or a reset link requested, counted over all nodes and restarts."""
