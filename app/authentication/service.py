"""What users and the operator can do about signing in; each part has a module of its own.

Signing in and resetting a password take a request, because nobody has signed in yet; changing a password and confirming it take
the session's token; the rest takes the actor first.
"""

from __future__ import annotations

from app.authentication.email_change import change_email, find_email_change, request_email_change
from app.authentication.password_change import change_password
from app.authentication.password_reset import find_password_reset, password_reset_link, request_password_reset, reset_password
from app.authentication.profile import change_name
from app.authentication.setup import create_owner, has_owner, is_set_up_link, set_up, set_up_link, user_exists
from app.authentication.sign_in import confirm, sign_in

__all__ = [
    "change_email",
    "change_name",
    "change_password",
    "confirm",
    "create_owner",
    "find_email_change",
    "find_password_reset",
    "has_owner",
    "is_set_up_link",
    "password_reset_link",
    "request_email_change",
    "request_password_reset",
    "reset_password",
    "set_up",
    "set_up_link",
    "sign_in",
    "user_exists",
]
