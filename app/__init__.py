"""Keydesk: the front desk of an API."""
