"""Replacing a key by another, finished when the evidence says that nobody needs the old one."""
