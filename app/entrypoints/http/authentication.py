"""Who is asking: bearer tokens (JWT), or everybody on this machine where no check is configured."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import jwt
from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from app.core.config import AuthMode, Settings
from app.core.exceptions import AuthenticationRequired, InvalidUserId
from app.entrypoints.http.caller import ANONYMOUS, Caller
from app.entrypoints.http.signing_keys import KeySet, KeySource, SharedSecret
from app.entrypoints.http.this_machine import trust_this_machine
from app.images.keys import parse_user_id

Authenticate = Callable[..., Caller | Awaitable[Caller]]

ADMIN_ROLE = "admin"
LEEWAY_SECONDS = 10
_CALLER_KEY = "heaven.caller"


def make_authenticate(settings: Settings) -> Authenticate:
    """The dependency that names the caller as `AUTH_MODE` says."""
    if settings.auth_mode is AuthMode.NONE:
        return trust_this_machine
    keys: KeySource
    if settings.jwt_secret is not None:
        keys = SharedSecret(settings.jwt_secret.get_secret_value())
    else:
        assert settings.jwt_jwks_url is not None  # noqa: S101 - Settings made sure
        keys = KeySet(settings.jwt_jwks_url)
    return BearerToken(keys, audience=settings.jwt_audience, issuer=settings.jwt_issuer)


def remember_caller(request: Request, caller: Caller) -> None:
    """Keeps the caller with the request."""
    request.scope[_CALLER_KEY] = caller


async def current_caller(request: Request) -> Caller:
    """The caller that the router's authentication found."""
    caller: Caller = request.scope[_CALLER_KEY]
    return caller


class BearerToken(SecurityBase):
    """Callers by `Authorization: Bearer` with a JWT: `sub` is the user, `roles` may hold "admin".

    No token is anonymous; a token that is not valid in every respect is refused, also where none was needed.
    """

    def __init__(self, keys: KeySource, *, audience: str | None, issuer: str | None) -> None:
        self.model = HTTPBearer(bearerFormat="JWT", description="`sub` is the user's id; `roles` may hold `admin`.")
        self.scheme_name = "bearer"
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    async def __call__(self, request: Request) -> Caller:
        """The caller whom the token names.

        Raises:
            AuthenticationRequired: the token is not valid.
            AuthKeysUnavailable: it cannot be checked now; repeating may help.
        """
        headers = request.headers.getlist("authorization")
        if not headers:
            return ANONYMOUS
        scheme, _, token = headers[0].partition(" ")
        if len(headers) > 1 or scheme.lower() != "bearer" or not token.strip():
            raise AuthenticationRequired("The Authorization header must be: Bearer, a space, one token.")
        return _caller_of(await self._decode(token.strip()))

    async def _decode(self, token: str) -> dict[str, Any]:
        try:
            # Read before any key is looked for, so that rubbish costs nothing.
            jwt.get_unverified_header(token)
            found = await self._keys.find_key(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                found.key,
                algorithms=[found.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
            )
        except jwt.ExpiredSignatureError as error:
            raise AuthenticationRequired("The token has expired.") from error
        # Deeply nested JSON ends the decoder before it ends itself.
        except (jwt.PyJWTError, ValueError, RecursionError, OverflowError) as error:
            raise AuthenticationRequired("The token is not valid.") from error
        return claims


def _caller_of(claims: dict[str, Any]) -> Caller:
    try:
        user_id = parse_user_id(claims["sub"])
    except InvalidUserId as error:
        raise AuthenticationRequired("The token's subject is not a user id of this service.") from error
    roles = claims.get("roles")
    return Caller(user_id, is_admin=isinstance(roles, list) and ADMIN_ROLE in roles)
