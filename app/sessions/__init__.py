"""Sessions of users who have signed in."""
