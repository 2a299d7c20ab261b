"""Requests to URLs that users chose, which must not reach what only this machine can reach (server-side request forgery)."""
