"""Reports are taken from a gateway, so these tests have one too."""

from tests.verification.conftest import service

__all__ = ["service"]
