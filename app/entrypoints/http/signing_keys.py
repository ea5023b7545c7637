"""The keys that tokens are checked with: one secret, or the issuer's key set (JWKS, RFC 7517), fetched and kept."""

from __future__ import annotations

import asyncio
import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import jwt

from app.core.exceptions import AuthenticationRequired, AuthKeysUnavailable

KEYS_LIFE_SECONDS = 300.0
FETCH_TIMEOUT_SECONDS = 3.0
WAIT_TIMEOUT_SECONDS = 5.0
# After a failure nobody asks the issuer for so long: a crowd must not queue behind its time-outs.
BACK_OFF_SECONDS = 2.0

_KEY_SET_ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})
# The transport's, and what the parser trips over in a key set that is none.
_FETCH_ERRORS = (OSError, http.client.HTTPException, AttributeError, TypeError, ValueError, LookupError, RecursionError)


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it is good for, whatever a token's header says."""

    key: jwt.PyJWK | bytes
    algorithm: str


class KeySource(Protocol):
    """Where the key of a token comes from."""

    async def find_key(self, token: str) -> VerificationKey:
        """The key to check this token with.

        Raises:
            AuthenticationRequired: there is none for it.
            AuthKeysUnavailable: the keys cannot be fetched; repeating may help.
        """
        ...


class SharedSecret:
    """Implements `KeySource`: HS256 with one secret."""

    def __init__(self, secret: str) -> None:
        self._key = VerificationKey(secret.encode(), "HS256")

    async def find_key(self, token: str) -> VerificationKey:  # noqa: ARG002 - one key for all
        """See `KeySource.find_key`."""
        return self._key


class KeySet:
    """Implements `KeySource`: the issuer's public keys by URL, kept for five minutes; one fetch at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._closed_until = 0.0
        self._begin()

    def _begin(self) -> None:
        self._process_id = os.getpid()
        self._client = jwt.PyJWKClient(self._url, lifespan=KEYS_LIFE_SECONDS, timeout=FETCH_TIMEOUT_SECONDS)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="jwks")

    async def find_key(self, token: str) -> VerificationKey:
        """See `KeySource.find_key`."""
        if os.getpid() != self._process_id:
            # A fork copies neither the thread nor who would release the client's lock.
            self._begin()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WAIT_TIMEOUT_SECONDS):
                return await loop.run_in_executor(self._executor, self._find_key, token)
        except TimeoutError as error:
            raise AuthKeysUnavailable(cause={"exception": "total time-out"}) from error

    def _find_key(self, token: str) -> VerificationKey:
        # Of the token nothing else is read here: what fails below is the issuer's.
        key_id: str = jwt.get_unverified_header(token).get("kid", "")
        if time.monotonic() < self._closed_until:
            raise AuthKeysUnavailable(cause={"exception": "the last fetch failed a moment ago"})
        try:
            self._client.get_signing_keys()
        except (jwt.PyJWTError, *_FETCH_ERRORS) as error:
            raise self._unavailable(error) from error
        try:
            key = self._client.get_signing_key(key_id)
        except (jwt.PyJWKClientConnectionError, jwt.PyJWKSetError, *_FETCH_ERRORS) as error:
            raise self._unavailable(error) from error
        except jwt.PyJWTError as error:
            raise AuthenticationRequired("The token is signed with a key that its issuer does not list.") from error
        if key.algorithm_name not in _KEY_SET_ALGORITHMS:
            raise AuthenticationRequired("The token's signing algorithm is not accepted.")
        return VerificationKey(key, key.algorithm_name)

    def _unavailable(self, error: Exception) -> AuthKeysUnavailable:
        self._closed_until = time.monotonic() + BACK_OFF_SECONDS
        return AuthKeysUnavailable(cause={"operation": "fetch JWKS", "exception": type(error).__name__})
