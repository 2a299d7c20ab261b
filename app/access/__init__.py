"""Actors, and the policy that says what each may do."""
