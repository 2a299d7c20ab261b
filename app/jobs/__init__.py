"""Work that nobody waits for, done by one node at a time."""
