"""Properties of the key format: one changed character is refused without a lookup, and a checksum proves nothing."""

from __future__ import annotations

import asyncio
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.keys.secret import ALPHABET, PATTERN, RANDOM_LENGTH, KeyClass, checksum, class_of, generate
from app.peppers import service as peppers
from tests.conftest import Team, make_key
from tests.verification.conftest import Service, counters

bodies = st.text(ALPHABET, min_size=RANDOM_LENGTH, max_size=RANDOM_LENGTH)
classes = st.sampled_from(list(KeyClass))


@st.composite
def keys(draw: st.DrawFn) -> str:
    text = f"fl_{draw(classes)}_{draw(bodies)}"
    return text + checksum(text)


def neighbours(key: str, alphabet: str = ALPHABET + "_") -> list[str]:
    """Every text that differs in one character."""
    return [key[:at] + other + key[at + 1 :] for at in range(len(key)) for other in alphabet if other != key[at]]


@given(keys())
@settings(max_examples=25, deadline=None)
def test_every_changed_character_of_any_key_is_detected(key: str) -> None:
    assert class_of(key, ("fl",)) is not None
    # CRC32 detects every burst of up to 32 bits; a changed prefix or class is another text.
    assert [text for text in neighbours(key) if class_of(text, ("fl",)) is not None] == []


@given(keys(), st.data())
@settings(max_examples=300, deadline=None)
def test_truncated_extended_padded_and_swapped_keys_are_detected(key: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key) - 2))
    other = data.draw(st.text(max_size=3))
    for text in (key[:at], key[:at] + key[at + 1 :], key + other, other + key, key[:at] + key[at + 1] + key[at] + key[at + 2 :]):
        assert text == key or class_of(text, ("fl",)) is None


@given(keys())
def test_a_key_is_46_characters_and_one_expression_finds_it_in_any_text(key: str) -> None:
    assert len(key) == 46 and set(key) <= set(string.ascii_letters + string.digits + "_")
    assert PATTERN.findall(f'{{"key": "{key}"}} ({key}) {key}.') == [key] * 3


@given(st.text())
def test_no_other_text_matches(text: str) -> None:
    assert class_of(text, ("fl",)) is None


def test_generated_keys_are_unique() -> None:
    made = {generate("fl", KeyClass.LIVE) for _ in range(2_000)}
    assert len(made) == 2_000


async def test_every_one_character_change_of_a_real_key_is_malformed_and_never_looked_up(service: Service, team: Team) -> None:
    created = await make_key(team)
    key = str(created.secret)
    texts = neighbours(key, ALPHABET)
    for start in range(0, len(texts), 200):
        codes = await asyncio.gather(*(service.code(text) for text in texts[start : start + 200]))
        assert set(codes) == {"MALFORMED"}
    assert service.looked_up == []
    assert await counters() == {}
    assert await service.code(key) == "VALID"
    assert set(service.looked_up) == set(peppers.current().digests(key))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys())
@pytest.mark.usefixtures("db")
async def test_a_correct_checksum_does_not_make_a_key_valid(service: Service, key: str) -> None:
    assert await service.code(key) == "NOT_FOUND"
