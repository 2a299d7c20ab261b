"""Examines an installation: every setting and stored fact that affects security or reliability gets one line."""
