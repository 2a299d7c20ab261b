"""Alerts about expiry and rotation of keys: each is given once, on the alert list and by e-mail."""
