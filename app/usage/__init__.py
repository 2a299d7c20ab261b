"""Counting requests, and reading the counts."""
