"""Verification, the hot path: nothing is cached, every request is counted, and it fails closed."""
