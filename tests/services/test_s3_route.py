"""When a request can be signed and sent without boto, and when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import RefreshableCredentials

from app.services.s3_connection import make_client
from app.services.s3_route import RouteFinder
from tests.services.recorded_answers import at


@pytest.fixture
def routes() -> Iterator[RouteFinder]:
    with closing(make_client(at("http://store.example"))) as client:
        yield RouteFinder(client)


def credentials_for(left: timedelta) -> Any:
    def refuse() -> dict[str, str]:
        raise AssertionError("new credentials were asked for")

    return RefreshableCredentials("AKIA", "secret", "token", datetime.now(UTC) + left, refuse, "test")


def test_credentials_that_last(routes: RouteFinder) -> None:
    """Credentials that are good for a while sign at once."""
    routes._credentials = credentials_for(timedelta(hours=1))
    signer = routes.find_ready_signer()
    assert signer is not None
    assert (signer.access_key_id, signer.session_token) == ("AKIA", "token")


@pytest.mark.parametrize("seconds", [-1, 10, 15 * 60 + 1])
def test_credentials_about_to_be_renewed(routes: RouteFinder, seconds: int) -> None:
    """Where asking for credentials might wait for new ones, the event loop does not ask."""
    routes._credentials = credentials_for(timedelta(seconds=seconds))
    assert routes.find_ready_signer() is None


def test_behind_a_proxy(monkeypatch: pytest.MonkeyPatch, routes: RouteFinder) -> None:
    """What boto sends through a proxy is not sent around it."""
    assert routes.is_direct("http://store.example/photos/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with closing(make_client(at("http://store.example"))) as client:
        assert not RouteFinder(client).is_direct("http://store.example/photos/")
