"""Signatures are those of the Standard Webhooks specification."""

from __future__ import annotations

import time

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from app.webhooks import signature

BODY = '{"type":"key.created","data":{"name":"Schlüssel"}}'.encode()


def test_the_specifications_own_example_gets_its_signature() -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    assert signature.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_package_of_its_authors_accepts_either_secret_and_nothing_that_was_changed() -> None:
    old, new, other = (signature.new_secret() for _ in range(3))
    seconds = int(time.time())
    headers = signature.headers([new, old], "msg_abc", seconds, BODY)
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)["type"] == "key.created"
    changed = [
        (other, BODY, headers),
        (new, BODY + b" ", headers),
        (new, BODY, {**headers, "webhook-id": "msg_abd"}),
        (new, BODY, {**headers, "webhook-timestamp": str(seconds + 1)}),
        (new, BODY, signature.headers([new], "msg_abc", seconds - 600, BODY)),
    ]
    for secret, body, given in changed:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, given)


def test_secrets_have_256_bits_and_none_comes_twice() -> None:
    made = {signature.new_secret() for _ in range(1_000)}
    assert len(made) == 1_000 and all(secret.startswith("whsec_") and len(secret) == 50 for secret in made)
