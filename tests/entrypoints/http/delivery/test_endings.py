"""What ends, ends everywhere: deleted and moved images, URLs and grants with an expiry, and what is remembered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from app.core.delivery_settings import DeliveryAnswer
from app.core.exceptions import ImageNotFound, S3ConnectionFailed
from app.services.protocols import StoredObject
from tests.entrypoints.http.conftest import Api
from tests.entrypoints.http.delivery.delivering import PHOTO, CountingStore, calls_of, delivering, make_service, upload
from tests.entrypoints.http.delivery.test_crowds import CountingProcessor


@pytest.fixture
def redirecting() -> Iterator[Api]:
    """The application with DELIVERY_ANSWER=307."""
    with delivering(answer=DeliveryAnswer.TEMPORARY_REDIRECT) as api:
        yield api


def delete(api: Api, s3_key: str) -> None:
    assert api.client.portal
    api.client.portal.call(api.service.delete_image, s3_key)


def test_a_deleted_image_is_forgotten_at_once(api: Api, photo_key: str) -> None:
    """After a delete neither HEAD nor a conditional request of the same service says that the picture is there."""
    url = api.service.img_url(photo_key, "w:200,f:webp")
    etag = api.client.get(url).headers["etag"]
    api.client.head(url)
    delete(api, photo_key)
    statuses = [
        api.client.head(url).status_code,
        api.client.get(url, headers={"if-none-match": etag}).status_code,
        api.client.get(url).status_code,
    ]
    assert statuses == [404, 404, 404]


def test_an_image_that_became_private_is_not_at_its_old_url(api: Api, photo_key: str) -> None:
    """A change of visibility ends the URLs of the old key at once, also for those who only ask whether it changed."""
    url = api.service.img_url(photo_key, "w:200,f:webp")
    etag = api.client.get(url).headers["etag"]
    assert api.client.portal
    api.client.portal.call(api.service.set_visibility, photo_key, "private")
    assert api.client.get(url, headers={"if-none-match": etag}).status_code == 404
    assert api.client.head(url).status_code == 404


def test_being_asked_for_keeps_nothing_in_mind() -> None:
    """What is remembered ends after its time, however often it is asked for meanwhile."""
    with delivering(memory_seconds=0.1) as api:
        url = api.service.img_url(upload(api), "w:200,f:webp")
        etag = api.client.get(url).headers["etag"]
        calls_of(api)
        give_up_at = time.monotonic() + 5
        while not calls_of(api):
            assert api.client.get(url, headers={"if-none-match": etag}).status_code == 304
            assert time.monotonic() < give_up_at, "the store is never asked again"


def test_a_redirect_lives_no_longer_than_the_url_that_led_to_it(redirecting: Api) -> None:
    """A URL of a minute does not become a presigned one of hours, nor one that caches keep for longer."""
    private = upload(redirecting, image_type="document")
    answer = redirecting.client.get(redirecting.service.img_url(private, "w:200", expires_in=60))
    [seconds] = parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"]
    assert 55 <= int(seconds) <= 61
    public = redirecting.client.get(redirecting.service.img_url(upload(redirecting), "w:200", expires_in=60))
    age = int(public.headers["cache-control"].rpartition("=")[2])
    assert 55 <= age <= 61


def test_a_redirect_by_grant_ends_with_the_grant(redirecting: Api) -> None:
    """A grant of a minute opens nothing for longer."""
    key = upload(redirecting, image_type="document")
    token = redirecting.service.create_grant(s3_key=key, expires_in=60)["token"]
    answer = redirecting.client.get(f"/img/-/w:160/{key}?grant={token}")
    [seconds] = parse_qs(urlsplit(answer.headers["location"]).query)["X-Amz-Expires"]
    assert int(seconds) <= 61


def test_a_grant_shows_presets_and_widths_on_any_page(api: Api) -> None:
    """Who holds a grant sees every size of a private image, on whatever site, for as long as the grant lives."""
    key = upload(api, image_type="document")
    token = api.service.create_grant(s3_key=key, expires_in=60)["token"]
    answer = api.client.get(f"/img/-/p:square/{key}?grant={token}")
    assert answer.status_code == 200
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["cache-control"] == "private, no-store"
    assert api.client.get(f"/img/-/w:161/{key}?grant={token}").status_code == 400
    other = upload(api, image_type="document")
    assert api.client.get(f"/img/-/p:square/{other}?grant={token}").status_code == 403


def test_grants_of_moments_and_cached_pictures() -> None:
    """A picture by grant is kept no longer than the grant is good."""
    with delivering(private_cache_seconds=3600) as api:
        key = upload(api, image_type="document")
        token = api.service.create_grant(s3_key=key, expires_in=60)["token"]
        age = api.client.get(f"/img/-/w:160/{key}?grant={token}").headers["cache-control"].rpartition("=")[2]
        assert int(age) <= 61


def test_a_range_of_a_picture_that_changed_is_the_whole_new_one(api: Api, photo_key: str) -> None:
    """A part is never cut out of another picture than the one that it was measured for."""
    url = api.service.img_url(photo_key, "w:200,f:webp")
    api.client.get(url)
    store = api.service.parts.store
    [result] = [key for key in api.stored_keys() if "/t-" in key]
    assert api.client.portal
    api.client.head(url)
    api.client.portal.call(store.delete, result)
    answer = api.client.get(url, headers={"range": "bytes=0-9"})
    assert (answer.status_code, answer.headers["content-length"]) == (200, str(len(answer.content)))


async def test_a_result_is_taken_back_when_nobody_can_say_whether_its_image_is_there() -> None:
    """A result of an image that was deleted meanwhile does not stay because the store failed at that moment."""
    store = FailingHead()
    processor = CountingProcessor(gate=asyncio.Event())
    service = make_service(store=store, processor=processor)
    key = (await service.upload_image(PHOTO, "user", 1))["s3_key"]
    making = asyncio.create_task(service.transform_image(key, "w:200,f:webp"))
    await processor.has_begun.wait()
    await service.delete_image(key)
    store.fails = True
    processor.open_gate()
    with pytest.raises((S3ConnectionFailed, ImageNotFound)):
        await making
    store.fails = False
    assert await store.list("") == []


class FailingHead(CountingStore):
    """A store that can be told to fail when it is asked for a description."""

    fails = False

    async def head(self, key: str) -> StoredObject | None:
        if self.fails:
            raise S3ConnectionFailed
        found: StoredObject | None = await super().head(key)
        return found
