"""The search for secrets in bytes: complete at any position and in any encoding, and without false positives."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator

import pytest

from app.keys.scanning import PIECE, found_in, lines_of
from app.keys.secret import ALPHABET, KeyClass, generate

RANDOM = random.Random(2026)


def secrets_of(data: bytes) -> list[str]:
    return [found.secret for found in found_in(data)]


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("company", ["fl", "a1", "acmecorp"])
@pytest.mark.parametrize("kind", KeyClass)
def test_a_secret_of_any_company_and_class_is_found(company: str, kind: KeyClass) -> None:
    secret = generate(company, kind)
    assert secrets_of(f"KEY={secret}\n".encode()) == [secret]


@pytest.mark.parametrize("before", ["", " ", "=", '"', "x", "Z", "9", "_", "export KEY_", "%3D", "\\n", "ü", "aaaaaaaaaaaa"])
@pytest.mark.parametrize("after", ["", " ", '"', "x", "_", "0", "==", "fl_live_"])
def test_a_secret_is_found_whatever_stands_next_to_it(before: str, after: str) -> None:
    secret = generate("fl", "live")
    assert secrets_of(f"{before}{secret}{after}".encode()) == [secret]


def test_secrets_without_anything_between_them_are_all_found() -> None:
    secrets = [generate("fl", kind) for kind in ("live", "test", "mgmt", "gate") * 3]
    assert secrets_of("".join(secrets).encode()) == secrets


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_secret_is_found_in_every_encoding(encoding: str) -> None:
    secret = generate("fl", "live")
    assert secrets_of(f"Schlüssel={secret}; weiter".encode(encoding)) == [secret]


def test_a_secret_with_one_wrong_character_is_not_found() -> None:
    secret = generate("fl", "live")
    for place in range(len(secret)):
        if secret[place] != "_":
            other = next(each for each in ALPHABET[::-1] if each != secret[place])
            assert secret not in secrets_of((secret[:place] + other + secret[place + 1 :]).encode())
    assert secrets_of(secret[:-1].encode()) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("size", [1, 7, 64, 257, 4096])
def test_a_stream_finds_each_secret_once_with_its_line_however_it_is_cut(size: int, encoding: str) -> None:
    secrets = [generate("fl", "live") for _ in range(6)]
    lines = [secrets[0], "", f"a={secrets[1]}{secrets[2]}", "x" * 500, secrets[3] * 2, f"{secrets[4]} {'y' * 300}", secrets[5]]
    found = [(each.at, each.secret) for each in lines_of(pieces_of("\n".join(lines).encode(encoding), size))]
    expected = [(1, 0), (3, 1), (3, 2), (5, 3), (5, 3), (6, 4), (7, 5)]
    assert found == [(line, secrets[index]) for line, index in expected]


def test_a_line_longer_than_the_memory_for_one_piece_is_searched_to_its_end() -> None:
    secret = generate("fl", "live")
    data = b"a" * (PIECE - 20) + secret.encode() + b"b" * (2 * PIECE) + secret.encode()
    assert [each.at for each in lines_of(pieces_of(data, PIECE))] == [1, 1]


def test_random_base64_contains_no_secret() -> None:
    """50 MB of each alphabet; the second one contains underscores."""
    raw = RANDOM.randbytes(37_500_000)
    assert secrets_of(base64.b64encode(raw)) == []
    assert secrets_of(base64.urlsafe_b64encode(raw)) == []


def test_texts_of_the_right_shape_without_a_checksum_are_not_secrets() -> None:
    texts = [f"fl_live_{''.join(RANDOM.choices(ALPHABET, k=38))}" for _ in range(20_000)]
    assert secrets_of(" ".join(texts).encode()) == []


def test_what_is_found_does_not_show_its_secret() -> None:
    secret = generate("fl", "live")
    assert secret not in repr(found_in(secret.encode()))
