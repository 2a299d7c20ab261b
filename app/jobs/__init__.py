"""Background jobs, each done by one node at a time."""
