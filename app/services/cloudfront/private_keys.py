"""The private key that signs for CloudFront: read from the settings, and refused at the start where it cannot serve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from app.core.config import Settings

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_TEXT_VARIABLE = "CLOUDFRONT_PRIVATE_KEY"
_FILE_VARIABLE = "CLOUDFRONT_PRIVATE_KEY_FILE"
_RSA_BITS = 2048


def load_private_key(settings: Settings) -> PrivateKey | None:
    """The key of the settings, given as text or as a file; None without one. Nothing of it gets into an error.

    https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_PublicKey.html

    Raises:
        ConfigurationError: it cannot be read, or is no key that CloudFront takes. Repeating does not help.
    """
    if settings.cloudfront_private_key is not None:
        text = settings.cloudfront_private_key.get_secret_value().replace("\\n", "\n")
        return _parse(text.encode(), variable=_TEXT_VARIABLE)
    path = settings.cloudfront_private_key_file
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError({_FILE_VARIABLE: f"cannot be read: {error.strerror}"}) from None
    return _parse(content, variable=_FILE_VARIABLE)


def _parse(pem: bytes, *, variable: str) -> PrivateKey:
    try:
        key = load_pem_private_key(pem.strip(), password=None)
    except TypeError:
        raise ConfigurationError({variable: "is encrypted: give the key without a passphrase"}) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigurationError({variable: "is not a private key in PEM"}) from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size == _RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ConfigurationError({variable: "must be RSA with 2048 bits or ECDSA P-256: CloudFront takes no other"})
