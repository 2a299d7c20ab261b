"""The pepper: the secret outside the database without which its digests say nothing."""
