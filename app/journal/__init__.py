"""The revocation journal: a file outside the database, which no restore changes."""
