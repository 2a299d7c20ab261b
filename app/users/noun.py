"""Users, as a noun."""

from __future__ import annotations

from typing import Final

from app.noun import Export, Noun
from app.users.tables import UserRow
from app.users.user import USER_ID

NOUN: Final = Noun(
    "users",
    tables=(UserRow,),
    id_prefixes=(USER_ID,),
    exports=(Export("user", "account", "account", "id email name created_at"),),
)
