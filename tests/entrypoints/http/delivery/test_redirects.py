"""Redirects instead of pictures: to where the object lies, once it lies there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.core.delivery_settings import DeliveryAnswer
from tests.entrypoints.http.conftest import Api, assert_problem
from tests.entrypoints.http.delivery.delivering import calls_of, delivering, show, upload


@pytest.fixture(params=[DeliveryAnswer.FOUND, DeliveryAnswer.TEMPORARY_REDIRECT], ids=["302", "307"])
def redirecting(request: pytest.FixtureRequest) -> Iterator[Api]:
    """The application with DELIVERY_ANSWER set to a redirect."""
    with delivering(answer=request.param) as api:
        yield api


def test_a_public_picture_is_where_it_lies(redirecting: Api) -> None:
    """The client is sent to the public URL of the result, which is in the bucket by then."""
    key = upload(redirecting)
    answer = show(redirecting, key, "w:200,f:webp")
    results = [each for each in redirecting.stored_keys() if "/t-" in each]
    assert str(answer.status_code) == redirecting.service.parts.delivery.answer.value
    assert answer.headers["location"] == redirecting.service.parts.urls.public_url(results[0])
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "vary" not in answer.headers


def test_a_variant_of_the_upload_is_redirected_to_as_well(redirecting: Api) -> None:
    """What the upload made has a URL of its own already; a negotiated redirect says that it was."""
    key = upload(redirecting)
    answer = show(redirecting, key, "w:320", accept="image/avif")
    assert "/320-" in answer.headers["location"]
    assert answer.headers["location"].endswith(".avif")
    assert answer.headers["vary"] == "Accept"


def test_a_private_picture_is_at_a_presigned_url(redirecting: Api) -> None:
    """The client is sent to a URL that ends, and nothing keeps the way to it."""
    key = upload(redirecting, image_type="document")
    answer = show(redirecting, key, "w:200,f:webp")
    assert "X-Amz-Signature=" in answer.headers["location"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_redirect_is_remembered_for_a_moment(redirecting: Api) -> None:
    """Within DELIVERY_MEMORY_SECONDS the store is not asked again."""
    key = upload(redirecting)
    show(redirecting, key, "w:200,f:webp")
    calls_of(redirecting)
    show(redirecting, key, "w:200,f:webp")
    assert calls_of(redirecting) == []


def test_nobody_is_sent_to_a_missing_image(redirecting: Api) -> None:
    """An image that is not there is a 404 here, not at the end of a redirect."""
    assert_problem(show(redirecting, "users/1/20241201_143022_a1b2c3d4.jpg", "w:200"), 404, "IMAGE_NOT_FOUND")
