"""Keys and tokens, good and forged."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.entrypoints.http.conftest import Api

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
PUBLIC_PEM = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ask(api: Api, token: str) -> Any:
    """A request that needs a token."""
    return api.client.get("/api/v1/images", headers={"Authorization": f"Bearer {token}"})


def segment(content: Any) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def hand_made(header: dict[str, Any], *, secret: bytes | None = None, **claims: Any) -> str:
    """A token that no library would make."""
    head = f"{segment(header)}.{segment({'sub': '123', 'exp': int(time.time()) + 3600} | claims)}"
    return f"{head}.{segment(hmac.digest(secret, head.encode(), hashlib.sha256)) if secret else ''}"
