"""Bearer tokens: what is accepted, and every way of forging one."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from jwt.algorithms import RSAAlgorithm

from app.services.image_service import ImageService
from tests.entrypoints.http.conftest import (
    SECRET,
    Api,
    assert_problem,
    jwt_settings,
    make_token,
    run_api,
)
from tests.entrypoints.http.tokens import RSA_KEY, ask, hand_made, segment

# The tokens are made before the first test runs: a slow suite must not outlive them.
DAY_SECONDS = 24 * 3600
NOW = int(time.time())
FORGED = {
    "no algorithm": hand_made({"alg": "none", "typ": "JWT"}),
    "no algorithm, in capitals": hand_made({"alg": "NONE"}),
    "empty algorithm": hand_made({"alg": ""}, secret=SECRET.encode()),
    "without algorithm": hand_made({"typ": "JWT"}, secret=SECRET.encode()),
    "another secret": make_token(key="another secret that is long enough, too"),
    "HS512 with the right secret": make_token(algorithm="HS512", key=SECRET + SECRET),
    "RS256": make_token(key=RSA_KEY, algorithm="RS256"),
    "own key in the header": jwt.encode(
        {"sub": "1", "exp": NOW + DAY_SECONDS},
        RSA_KEY,
        "RS256",
        headers={"jwk": json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key()))},
    ),
    "expired": make_token(exp=NOW - 60),
    "without exp": make_token(exp=None),
    "exp as text": make_token(exp="tomorrow"),
    "exp without end": hand_made({"alg": "HS256"}, secret=SECRET.encode(), exp=float("inf")),
    "not yet valid": make_token(nbf=NOW + DAY_SECONDS),
    "issued in the future": make_token(iat=NOW + DAY_SECONDS),
    "without sub": make_token(None),
    "sub as number": hand_made({"alg": "HS256"}, secret=SECRET.encode(), sub=123),
    "sub with a slash": make_token("1/../2"),
    "empty sub": make_token(""),
    "sub too long": make_token("x" * 65),
    "signature cut off": make_token().rpartition(".")[0] + ".",
    "claims of another": ".".join(
        [
            make_token().split(".")[0],
            segment({"sub": "root", "exp": NOW + DAY_SECONDS, "roles": ["admin"]}),
            make_token().split(".")[2],
        ]
    ),
    "one segment": "x",
    "four segments": make_token() + ".x",
    "no base64": "!!!.???.###",
    "deeply nested": f"{segment(b'[' * 20000)}.{segment({})}.x",
    "not ASCII": "é.é.é".encode().decode("latin-1"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_token(shared_jwt_api: Api, name: str) -> None:
    """No token but one signed with the configured secret, in time and with a user, names anybody."""
    answer = shared_jwt_api.client.get(
        "/api/v1/images", headers=[(b"Authorization", f"Bearer {FORGED[name]}".encode("latin-1"))]
    )

    problem = assert_problem(answer, 401, "AUTHENTICATION_REQUIRED")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert SECRET not in json.dumps(problem)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": ""},
        {"Authorization": make_token()},
        [("Authorization", f"Bearer {make_token()}"), ("Authorization", f"Bearer {make_token()}")],
    ],
    ids=["basic", "no token", "blank", "empty", "no scheme", "twice"],
)
def test_header_that_is_no_bearer_token(shared_jwt_api: Api, headers: Any) -> None:
    """Anything but one bearer token in the Authorization header is refused."""
    assert_problem(shared_jwt_api.client.get("/api/v1/images", headers=headers), 401, "AUTHENTICATION_REQUIRED")


def test_good_token(shared_jwt_api: Api) -> None:
    """A token signed with the secret is accepted, in any spelling of "Bearer", and seconds after its end."""
    assert ask(shared_jwt_api, make_token()).status_code == 200
    assert ask(shared_jwt_api, make_token(exp=int(time.time()) - 2)).status_code == 200
    assert (
        shared_jwt_api.client.get("/api/v1/images", headers={"Authorization": f"bEARER  {make_token()}"}).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": "images", "iss": "https://login.example.com"}, 200),
        ({"aud": ["other", "images"], "iss": "https://login.example.com"}, 200),
        ({"aud": "other", "iss": "https://login.example.com"}, 401),
        ({"iss": "https://login.example.com"}, 401),
        ({"aud": "images", "iss": "https://login.example.com.evil.org"}, 401),
        ({"aud": "images"}, 401),
    ],
)
def test_audience_and_issuer(memory_image_service: ImageService, claims: dict[str, Any], status: int) -> None:
    """Where an audience and an issuer are configured, tokens for others or of others are refused."""
    settings = jwt_settings(jwt_audience="images", jwt_issuer="https://login.example.com")
    for api in run_api(memory_image_service, settings):
        assert ask(api, make_token(**claims)).status_code == status


def test_audience_that_nobody_configured(shared_jwt_api: Api) -> None:
    """Where no audience is configured, a token's own does not matter."""
    assert ask(shared_jwt_api, make_token(aud="anything")).status_code == 200
