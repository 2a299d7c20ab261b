"""Rotations: replace a key by a successor, and complete when usage shows that no caller needs the old key."""
