"""The pepper: the secret outside the database without which its digests cannot be checked or guessed."""
