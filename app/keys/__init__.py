"""API keys: create, show once, list, edit, suspend, resume and revoke them."""
