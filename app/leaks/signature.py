"""The signature of a report: ECDSA on the curve P-256 with SHA-256, over the raw bytes of the body."""

from __future__ import annotations

import base64
import binascii

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PublicKey = ec.EllipticCurvePublicKey


def public_key(pem: bytes) -> PublicKey:
    """The key of a PEM file. Raises ValueError for anything but a public key on P-256."""
    try:
        key = load_pem_public_key(pem)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a public key on the curve P-256")
    return key


def is_valid(key: PublicKey, signature: bytes, body: bytes) -> bool:
    """Whether the Base64 text of a header is the key's signature of this body."""
    try:
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, binascii.Error):
        return False
    return True
