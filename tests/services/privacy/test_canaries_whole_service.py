"""The service as it is shipped, with confined workers and a real S3 server, lets no canary through either."""

from __future__ import annotations

import logging

import httpx2
import pytest
from fastapi.testclient import TestClient

from app.bootstrap import Services
from app.core.config import LogFormat
from app.entrypoints.http.app import create_app
from tests.entrypoints.http.conftest import Api, make_settings
from tests.metadata_pictures import PLANTED
from tests.planted.canaries import canaries_in
from tests.services.privacy.uploads import everything_stored, logged, told

LOADED = (
    "jpeg exif", "jpeg second picture", "png raw profiles", "webp animation", "gif xmp", "heic items", "avif boxes",
    "tiff tags",
)  # fmt: skip


def test_nothing_planted_reaches_the_store(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    """Originals and all default variants, as S3 hands them out, hold pixels and nothing else; so does every log."""
    services = Services(make_settings(debug=True, log_level="DEBUG", log_format=LogFormat.JSON))
    try:
        with TestClient(create_app(services)) as client, caplog.at_level(logging.DEBUG):
            api = Api(client, services.image_service)
            answers = [api.upload(PLANTED[name].make()) for name in LOADED]
            assert [answer.status_code for answer in answers] == [201] * len(LOADED), answers[-1].text
            broken = [api.upload(PLANTED[name].make()[:-700]) for name in LOADED]
            signed = [client.get(f"/api/v1/urls/{answer.json()['s3_key']}").json() for answer in answers]
            served = [httpx2.get(urls["presigned_url"], trust_env=False) for urls in signed]
            assert client.portal
            stored = client.portal.call(everything_stored, services.image_service)
    finally:
        services.close()

    assert len(stored) > sum(answer.json()["file_size"] for answer in answers)
    assert sum(len(answer.json()["variants"]) for answer in answers) > len(LOADED)
    for each in (*answers, *broken, *served):
        assert canaries_in(told(each)) == set()
    assert canaries_in(stored) == set()
    output = capfd.readouterr()
    assert canaries_in(logged(caplog) + output.err.encode() + output.out.encode()) == set()
