"""No canary is in what an upload stores, in what the API answers, or in what it logs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from app.core.config import LogFormat
from app.images.records import RenderPlan
from app.images.variants import VariantTable
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from tests.conftest import IMAGE_TYPES, make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, make_settings, run_api
from tests.metadata_pictures import PLANTED
from tests.planted.canaries import canaries_in, canary
from tests.services.privacy.uploads import delete_everything, everything_stored, logged, told

PLAN = RenderPlan(variants=VariantTable(widths=(64,)).specs())
FILE_NAME = "photo.jpg"


def loaded_service(store: Any, connection: Any) -> ImageService:
    return make_image_service(store, connection, plans=dict.fromkeys(IMAGE_TYPES, PLAN))


@pytest.fixture(scope="module")
def debug_api(clean_environment: None) -> Iterator[Api]:
    """The application at its most talkative, one for all tests of this file."""
    service = loaded_service(MemoryStore(), CONNECTION)
    yield from run_api(service, make_settings(debug=True, log_level="DEBUG", log_format=LogFormat.JSON))


@pytest.mark.parametrize("name", PLANTED)
def test_nothing_planted_is_stored_answered_or_logged(
    name: str, debug_api: Api, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """After an upload there is no trace of what hung on the picture: in the bucket, on the wire, or in the logs."""
    portal = debug_api.client.portal
    assert portal
    content = PLANTED[name].make()
    assert canaries_in(content), "nothing was planted"
    with caplog.at_level(logging.DEBUG):
        created = debug_api.upload(content)
        assert created.status_code == 201, created.text
        path = created.json()["s3_key"]
        answers = [created, *(debug_api.client.get(url) for url in (
            f"/api/v1/images/{path}", f"/api/v1/files/{path}", "/api/v1/images", f"/api/v1/urls/{path}",
            "/api/v1/images/properties/20240101_000000_aaaaaaaa.jpg",
        ))]  # fmt: skip
        broken = debug_api.upload(content[: len(content) * 2 // 3])
    stored = portal.call(everything_stored, debug_api.service)
    portal.call(delete_everything, debug_api.service)

    assert len(answers[2].content) == created.json()["file_size"]
    assert {each: canaries_in(told(each)) for each in (*answers, broken) if canaries_in(told(each))} == {}
    assert canaries_in(stored) == set()
    output = capfd.readouterr()
    assert canaries_in(logged(caplog) + output.err.encode() + output.out.encode()) == set()


def test_the_receipt_is_answered(debug_api: Api) -> None:
    """The upload's answer names what was removed, and what was kept: nothing, unless a setting says so."""
    for name in ("jpeg exif", "png texts", "heic xmp", "tiff second page"):
        privacy = debug_api.upload(PLANTED[name].make()).json()["metadata"]["privacy"]
        assert privacy == {"removed": sorted(PLANTED[name].facts), "kept": []}


def test_the_search_finds_what_is_stored(debug_api: Api) -> None:
    """A canary in the one place where a sender's text is kept, the claimed file name, is found by the same search."""
    portal = debug_api.client.portal
    assert portal
    files = {"file": (f"{canary('file name')}.jpg", PLANTED["jpeg exif"].make(), "image/jpeg")}
    created = debug_api.client.post("/api/v1/images", files=files, data={"image_type": "user"})
    assert canaries_in(told(created)) == {"filename"}
    assert canaries_in(portal.call(everything_stored, debug_api.service)) == {"filename"}
    portal.call(delete_everything, debug_api.service)


def test_copyright_and_creator_come_out_when_they_are_kept(clean_environment: None) -> None:
    """With KEEP_COPYRIGHT the optimised original carries these two; its variants, like all else, carry nothing."""
    service = make_image_service(
        MemoryStore(), CONNECTION, plans=dict.fromkeys(IMAGE_TYPES, PLAN), keeps_copyright=True
    )
    for api in run_api(service, make_settings()):
        for name in ("jpeg exif", "png exif", "webp lossy", "avif exif", "heic exif"):
            created = api.upload(PLANTED[name].make()).json()
            body = api.client.get(f"/api/v1/files/{created['s3_key']}").content
            letters = "".join(letter for letter in name if letter.isalpha())
            assert canaries_in(body) == {f"{letters}artist", f"{letters}copyright"}, name
            assert created["metadata"]["privacy"]["kept"] == ["copyright", "creator"]
            assert not {"copyright", "creator"} & set(created["metadata"]["privacy"]["removed"])
            assert canaries_in(json.dumps(created).encode()) == set()
