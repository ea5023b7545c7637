"""Keys of CloudFront in the settings: taken as they are pasted, refused at the start by the name of their variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.bootstrap import Services
from app.core.config import Settings
from app.core.exceptions import ConfigurationError
from app.services.cloudfront.private_keys import PrivateKey
from tests.services.cloudfront.conftest import pem_of

SECRET_TEXT = "MIIEvgIBADANBgkqhkiG9w0BAQEFAASC-a-key-that-nobody-may-ever-see-in-a-log-or-an-error"


def settings_with(**values: Any) -> Settings:
    base = {"cloudfront_key_pair_id": "K1", "cdn_base_url": "https://cdn.example.com"}
    return Settings.load(**(base | values))


def fault_of(settings: Settings) -> dict[str, str]:
    with pytest.raises(ConfigurationError) as caught:
        Services(settings)
    return caught.value.faults


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("kind", ["rsa_key", "ec_key"])
def test_both_kinds_in_both_forms(kind: str, form: PrivateFormat, request: pytest.FixtureRequest) -> None:
    """What openssl writes is taken, as text with or without real line breaks, and as a file."""
    key: PrivateKey = request.getfixturevalue(kind)
    pem = pem_of(key, form)
    Path("key.pem").write_text(pem)
    choices: list[dict[str, Any]] = [
        {"cloudfront_private_key": pem},
        {"cloudfront_private_key": pem.replace("\n", "\\n")},
        {"cloudfront_private_key_file": "key.pem"},
    ]
    for choice in choices:
        assert Services(settings_with(**choice)).cdn is not None


def test_without_a_key_nothing_signs() -> None:
    """A service without CloudFront has no signer and no invalidator."""
    parts = Services(Settings.load()).image_service.parts
    assert parts.cdn is None
    assert parts.invalidator is None


def encoded(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def bad_keys() -> dict[str, tuple[str, str]]:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {
        "not PEM": (SECRET_TEXT, "is not a private key in PEM"),
        "cut short": (encoded(own)[:400], "is not a private key in PEM"),
        "public": (public, "is not a private key in PEM"),
        "locked": (locked, "without a passphrase"),
        "3072 bits": (encoded(rsa.generate_private_key(public_exponent=65537, key_size=3072)), "RSA with 2048 bits"),
        "P-384": (encoded(ec.generate_private_key(ec.SECP384R1())), "RSA with 2048 bits or ECDSA P-256"),
        "Ed25519": (encoded(ed25519.Ed25519PrivateKey.generate()), "RSA with 2048 bits or ECDSA P-256"),
    }


def test_a_key_that_cannot_sign_is_refused_at_the_start() -> None:
    """The fault names the variable and what is wrong, and shows nothing of the key."""
    for text, fault in bad_keys().values():
        faults = fault_of(settings_with(cloudfront_private_key=text))
        assert list(faults) == ["CLOUDFRONT_PRIVATE_KEY"]
        assert fault in faults["CLOUDFRONT_PRIVATE_KEY"]
        assert text[50:80] not in str(faults)


def test_a_file_that_cannot_be_read_is_refused_at_the_start() -> None:
    """The other variable is named where the key is a file."""
    assert (
        "No such file" in fault_of(settings_with(cloudfront_private_key_file="gone.pem"))["CLOUDFRONT_PRIVATE_KEY_FILE"]
    )
    Path("bad.pem").write_text(SECRET_TEXT)
    assert list(fault_of(settings_with(cloudfront_private_key_file="bad.pem"))) == ["CLOUDFRONT_PRIVATE_KEY_FILE"]


def test_a_key_needs_a_cdn(ec_key: ec.EllipticCurvePrivateKey) -> None:
    """URLs of the bucket itself, signed for CloudFront, would open nothing."""
    faults = fault_of(settings_with(cloudfront_private_key=pem_of(ec_key), cdn_base_url=None))
    assert faults == {"CDN_BASE_URL": "must be set when CLOUDFRONT_KEY_PAIR_ID is"}
