"""Usage: counts requests and callers of keys, and reads the counts."""
