"""The revocation journal: a file outside the database that no restore takes back."""
