"""Keys that sign for CloudFront, and a CloudFront to invalidate at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.services.cloudfront.private_keys import PrivateKey
from tests.services.cloudfront.stub_cloudfront import StubCloudFront


def pem_of(key: PrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """The key as its owner pastes it into a setting."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def cloudfront() -> Iterator[StubCloudFront]:
    with StubCloudFront() as stub:
        yield stub
