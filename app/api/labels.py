"""Labels of API keys: as they are shown, given and filtered by."""

from __future__ import annotations

import strawberry

from app.access.policy import Action
from app.api.framework.decorators import object_type
from app.api.framework.scalars import unset_to_none
from app.keys import labels
from app.keys.filters import WantedLabel


@object_type("What programs and teams find a key by: a name with a value. Without a value it is a tag.", requires=Action.READ_KEYS)
class Label:
    name: str
    value: str

    @classmethod
    def of(cls, word: str) -> Label:
        name, value = labels.split(word)
        return cls(name=name, value=value)


@strawberry.input
class LabelInput:
    name: str = strawberry.field(
        description="1 to 63 letters, digits and any of `_ . / -`; begins and ends with a letter or a digit. Capitals matter."
    )
    value: str = strawberry.field(
        default="", description="At most 100 letters, digits and any of `_ . / : @ + -`; left out: none, which makes it a tag."
    )

    @property
    def word(self) -> str:
        return labels.word(self.name, self.value)


@strawberry.input(description="A label that a key has.")
class LabelFilter:
    name: str = strawberry.field(description="Its name, in the same capitals.")
    value: str | None = strawberry.field(
        default=strawberry.UNSET, description="Its value, in the same capitals; left out or null: any."
    )

    @property
    def wanted(self) -> WantedLabel:
        return self.name, unset_to_none(self.value)
