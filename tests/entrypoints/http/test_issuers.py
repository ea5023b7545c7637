"""Tokens of an issuer whose keys are fetched by URL, and what happens when they cannot be."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.core.config import AuthMode
from app.entrypoints.http import signing_keys
from app.services.image_service import ImageService
from tests.entrypoints.http.conftest import Api, assert_problem, make_settings, run_api
from tests.entrypoints.http.tokens import EC_KEY, ED_KEY, OTHER_RSA_KEY, PUBLIC_PEM, RSA_KEY, ask, hand_made, segment


@dataclass
class Issuer:
    """A token issuer on loopback; `keys` can be changed, `is_broken` makes it answer 500, `raw` is sent as it is."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    fetches: int = 0
    is_broken: bool = False
    raw: bytes | None = None
    answers: threading.Event = field(default_factory=threading.Event)


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            issuer.answers.wait(10)
            if issuer.raw is not None:
                self.wfile.write(issuer.raw)
                return
            body = json.dumps({"keys": issuer.keys}).encode()
            self.send_response(500 if issuer.is_broken else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}/keys"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()


def listed(key: Any, kid: str, algorithm: Any, **more: Any) -> dict[str, Any]:
    """A public key as the issuer lists it."""
    entry: dict[str, Any] = algorithm.to_jwk(key.public_key(), as_dict=True)
    return entry | {"kid": kid, "use": "sig"} | more


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        running.keys = [
            listed(RSA_KEY, "rsa", RSAAlgorithm, alg="RS256"),
            listed(EC_KEY, "ec", ECAlgorithm),
            listed(ED_KEY, "ed", OKPAlgorithm),
            listed(OTHER_RSA_KEY, "ps", RSAAlgorithm, alg="PS256"),
            {"kty": "oct", "kid": "oct", "k": segment(b"k" * 32), "use": "sig"},
        ]
        yield running


@pytest.fixture
def issuer_api(issuer: Issuer, memory_image_service: ImageService) -> Iterator[Api]:
    yield from run_api(memory_image_service, make_settings(auth_mode=AuthMode.JWT, jwt_jwks_url=issuer.url))


def signed(key: Any, kid: str | None, algorithm: str, **claims: Any) -> str:
    every = {"sub": "123", "exp": int(time.time()) + 3600} | claims
    return jwt.encode(every, key, algorithm, headers={"kid": kid} if kid else None)


def test_keys_of_an_issuer(issuer_api: Api, issuer: Issuer) -> None:
    """Tokens of an issuer are good by RS256, ES256 and EdDSA; its keys are fetched once."""
    tokens = [signed(RSA_KEY, "rsa", "RS256"), signed(EC_KEY, "ec", "ES256"), signed(ED_KEY, "ed", "EdDSA")]

    assert [ask(issuer_api, token).status_code for token in tokens * 2] == [200] * 6
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "token",
    [
        hand_made({"alg": "HS256", "kid": "rsa"}, secret=PUBLIC_PEM),
        hand_made({"alg": "HS256", "kid": "oct"}, secret=b"k" * 32),
        hand_made({"alg": "none", "kid": "rsa"}),
        signed(OTHER_RSA_KEY, "rsa", "RS256"),
        signed(OTHER_RSA_KEY, "ps", "PS256"),
        signed(OTHER_RSA_KEY, "ps", "RS256"),
        signed(RSA_KEY, "rsa", "RS512"),
        signed(RSA_KEY, "ec", "RS256"),
        signed(RSA_KEY, "unknown", "RS256"),
        signed(RSA_KEY, None, "RS256"),
        signed(RSA_KEY, "rsa", "RS256", exp=1),
    ],
    ids=[
        "HS256 with the public key as secret",
        "HS256 with a listed secret",
        "none",
        "another key under this name",
        "algorithm that is not ours",
        "algorithm that is not the key's",
        "RS512",
        "key of another kind",
        "unknown key",
        "no key named",
        "expired",
    ],
)
def test_forged_token_of_an_issuer(issuer_api: Api, token: str) -> None:
    """No token but one signed with a listed key, by that key's algorithm, names anybody."""
    assert_problem(ask(issuer_api, token), 401, "AUTHENTICATION_REQUIRED")


def test_rubbish_does_not_make_us_ask_the_issuer(issuer_api: Api, issuer: Issuer) -> None:
    """Strangers with unreadable tokens cause no request to the issuer."""
    ask(issuer_api, "x.y.z")

    assert issuer.fetches == 0


def test_issuer_that_fails_and_comes_back(issuer_api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its keys cannot be fetched, tokens are neither good nor bad; public images are still served."""
    monkeypatch.setattr(signing_keys, "BACK_OFF_SECONDS", 0.2)
    key = issuer_api.store()["s3_key"]
    token = signed(RSA_KEY, "rsa", "RS256")
    issuer.is_broken = True

    answer = ask(issuer_api, token)
    problem = assert_problem(answer, 503, "AUTH_KEYS_UNAVAILABLE")
    assert problem["retryable"]
    assert answer.headers["retry-after"]
    assert_problem(ask(issuer_api, token), 503, "AUTH_KEYS_UNAVAILABLE")
    assert issuer.fetches == 1, "a failure a moment ago is not repeated"
    assert issuer_api.client.get(f"/api/v1/files/{key}").status_code == 200

    issuer.is_broken = False
    give_up_at = time.monotonic() + 10
    while ask(issuer_api, token).status_code != 200:
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def test_issuer_that_hangs(issuer_api: Api, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer that never answers costs a bounded time."""
    monkeypatch.setattr(signing_keys, "WAIT_TIMEOUT_SECONDS", 0.2)
    issuer.answers.clear()
    started_at = time.monotonic()

    assert_problem(ask(issuer_api, signed(RSA_KEY, "rsa", "RS256")), 503, "AUTH_KEYS_UNAVAILABLE")
    assert time.monotonic() - started_at < 5
    issuer.answers.set()


@pytest.mark.parametrize("keys", [[], [{"kty": "RSA", "kid": "x"}]], ids=["empty", "broken"])
def test_issuer_without_usable_keys(issuer_api: Api, issuer: Issuer, keys: list[dict[str, Any]]) -> None:
    """A key set that holds nothing usable is the issuer's fault, not the token's."""
    issuer.keys = keys

    assert_problem(ask(issuer_api, signed(RSA_KEY, "rsa", "RS256")), 503, "AUTH_KEYS_UNAVAILABLE")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"\xff",
        b"[]",
        b"7",
        b'{"keys": 7}',
        b'{"keys": [7]}',
        b'{"keys": [{"kty": 7, "kid": "rsa"}]}',
        b'{"keys": [{"kty": "RSA", "kid": "rsa", "n": 7, "e": 7}]}',
        b'{"keys": [{"kty": "RSA", "kid": "rsa", "n": "", "e": ""}]}',
        b'{"keys": [{"kty": "EC", "kid": "rsa", "crv": [], "x": "!", "y": null}]}',
        b"[" * 20000,
    ],
)
def test_issuer_that_answers_nonsense(
    issuer_api: Api, issuer: Issuer, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is no key set is the issuer's fault, not the token's, and is not kept."""
    monkeypatch.setattr(signing_keys, "BACK_OFF_SECONDS", 0)
    token = signed(RSA_KEY, "rsa", "RS256")
    issuer.raw = b"HTTP/1.0 200 OK\r\n\r\n" + body

    assert_problem(ask(issuer_api, token), 503, "AUTH_KEYS_UNAVAILABLE")
    issuer.raw = None
    assert ask(issuer_api, token).status_code == 200


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"", b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{"])
def test_issuer_that_speaks_no_http(issuer_api: Api, issuer: Issuer, raw: bytes) -> None:
    """A server that breaks off or speaks something else is a 503 too."""
    issuer.raw = raw

    assert_problem(ask(issuer_api, signed(RSA_KEY, "rsa", "RS256")), 503, "AUTH_KEYS_UNAVAILABLE")


def test_unknown_keys_do_not_make_us_ask_the_issuer(issuer_api: Api, issuer: Issuer) -> None:
    """Strangers who make up names of keys do not cause a request to the issuer each."""
    for number in range(5):
        assert ask(issuer_api, signed(RSA_KEY, f"made up {number}", "RS256")).status_code == 401

    assert issuer.fetches == 1


def test_tokens_after_a_fork(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker forked from a process that has checked tokens checks them, too."""
    keys = signing_keys.KeySet(issuer.url)
    token = signed(RSA_KEY, "rsa", "RS256")
    asyncio.run(keys.find_key(token))
    # As in the child of a fork: another process, without the thread that asks.
    keys._executor.shutdown()
    parent_id = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent_id + 1)

    assert asyncio.run(keys.find_key(token)).algorithm == "RS256"
    keys._executor.shutdown()


def test_issuer_that_is_down(memory_image_service: ImageService) -> None:
    """An issuer nobody answers for is a 503 too."""
    with running_issuer() as stopped:
        url = stopped.url
    for api in run_api(memory_image_service, make_settings(auth_mode=AuthMode.JWT, jwt_jwks_url=url)):
        assert_problem(ask(api, signed(RSA_KEY, "rsa", "RS256")), 503, "AUTH_KEYS_UNAVAILABLE")
