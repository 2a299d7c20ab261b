"""API keys: made, shown once, listed, changed, suspended, revoked."""
