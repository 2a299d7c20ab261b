"""Makes the gateway fixture of the verification tests available, because gateways send reports."""

from tests.verification.conftest import service

__all__ = ["service"]
