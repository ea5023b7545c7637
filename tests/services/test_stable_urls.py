"""URLs that stay the same for a window, and URLs of many images at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.delivery_settings import MAX_WINDOW_SECONDS
from app.core.exceptions import InvalidExpiry, InvalidImageKey, InvalidRequest, TooManyFiles
from app.services.delivery_policy import DeliveryPolicy
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.url_methods import MAX_EXPIRY_SECONDS, MAX_URLS, UrlWindow
from tests.services.image_services import KEY, service_on

WINDOW = 3600
START = datetime(2024, 12, 1, 14, tzinfo=UTC)
OTHER_KEY = "documents/9/20241201_143022_a1b2c3d4.jpg"


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment


class RecordingCdn:
    """A CDN that signs by writing down what it was asked."""

    def signed_url(self, url: str, *, expires_at: datetime) -> str:
        return f"{url}?until={expires_at:%H:%M}"

    def signed_pattern(self, url: str, pattern: str, *, expires_at: datetime) -> str:
        raise AssertionError("not asked for here")

    def cookies(self, pattern: str, *, expires_at: datetime) -> dict[str, str]:
        raise AssertionError("not asked for here")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> ImageService:
    return service_on(MemoryStore(), now=clock, delivery=DeliveryPolicy(url_window_seconds=WINDOW))


def lifetime_of(url: str) -> tuple[datetime, datetime]:
    """When a presigned URL begins and ceases to hold."""
    query = parse_qs(urlsplit(url).query)
    begins = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return begins, begins + timedelta(seconds=int(query["X-Amz-Expires"][0]))


def test_one_url_per_window(service: ImageService, clock: Clock) -> None:
    """From a window's first to its last moment the URL is the same; the next window has another one."""
    urls = []
    for seconds in (0, 1, WINDOW / 2, WINDOW - 0.001, WINDOW):
        clock.moment = START + timedelta(seconds=seconds)
        urls.append(service.get_presigned_url(KEY, stable=True))

    assert len(set(urls[:4])) == 1
    assert urls[4] != urls[0]


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(
    moment=st.datetimes(datetime(1971, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)),
    length=st.integers(60, MAX_WINDOW_SECONDS),
)
def test_every_window_outlives_itself(moment: datetime, length: int) -> None:
    """Whenever it is asked for, a stable URL holds already, for one more window at least, and never over seven days."""
    window = UrlWindow.at(moment, length_seconds=length)

    assert window.signed_at <= moment < window.signed_at + timedelta(seconds=length)
    assert window.expires_at >= moment + timedelta(seconds=length)
    assert window.expires_in <= MAX_EXPIRY_SECONDS
    assert UrlWindow.at(window.signed_at, length_seconds=length) == window


def test_stable_urls_last_two_windows(service: ImageService, clock: Clock) -> None:
    """A stable URL is signed for the window's start, whatever the hour, and ends with the next window."""
    clock.moment = START + timedelta(minutes=59)

    assert lifetime_of(service.get_presigned_url(KEY, stable=True)) == (START, START + timedelta(hours=2))


def test_ordinary_urls_last_as_long_as_asked(service: ImageService, clock: Clock) -> None:
    """Without `stable` a URL holds from now on for exactly the time asked for."""
    clock.moment = START + timedelta(minutes=59)

    url = service.get_presigned_url(KEY, 60)

    assert lifetime_of(url) == (clock.moment, clock.moment + timedelta(seconds=60))


def test_stable_and_a_lifetime(service: ImageService) -> None:
    """A lifetime beside `stable` is refused: it would not be kept."""
    with pytest.raises(InvalidRequest, match="leave `expires_in` out"):
        service.get_presigned_url(KEY, 60, stable=True)
    with pytest.raises(InvalidRequest):
        service.get_presigned_urls([KEY], 60, stable=True)


def test_many_urls_are_those_of_each(service: ImageService) -> None:
    """A batch gives for each key what it would have got alone, in the order of the keys."""
    for options in ({}, {"expires_in": 60}, {"stable": True}):
        urls = service.get_presigned_urls([OTHER_KEY, KEY, OTHER_KEY], **options)

        assert list(urls) == [OTHER_KEY, KEY]
        assert urls == {key: service.get_presigned_url(key, **options) for key in urls}


def test_no_keys_no_urls(service: ImageService) -> None:
    """Nothing asked for is nothing answered."""
    assert service.get_presigned_urls([]) == {}


def test_a_thousand_and_no_more(service: ImageService) -> None:
    """A batch has up to 1,000 keys; a longer one is refused whole, however long."""
    keys = [f"users/{number}/20241201_143022_a1b2c3d4.jpg" for number in range(MAX_URLS)]

    assert list(service.get_presigned_urls(keys)) == keys
    with pytest.raises(TooManyFiles, match="At most 1000 keys"):
        service.get_presigned_urls([*keys, KEY])
    with pytest.raises(TooManyFiles):
        service.get_presigned_urls(KEY for _ in iter(int, 1))


@pytest.mark.parametrize("wrong", ["incoming/1", "", "x" * 1000, None, 7, b"users/1"], ids=repr)
def test_the_wrong_key_of_a_batch_is_named(service: ImageService, wrong: Any) -> None:
    """One key that is none refuses the batch and is named by its place, and not at endless length."""
    with pytest.raises(InvalidImageKey, match=r"keys\[1\] is not the key of an image: ") as refused:
        service.get_presigned_urls([KEY, wrong])

    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("expires_in", [0, -1, 604_801, True, 1.0, "3600", None], ids=repr)
def test_wrong_lifetime_of_a_batch(service: ImageService, expires_in: Any) -> None:
    """What is no lifetime for one URL is none for many."""
    with pytest.raises(InvalidExpiry):
        service.get_presigned_urls([KEY], expires_in)


def test_objects_of_private_images(service: ImageService, clock: Clock) -> None:
    """Any object of an image has a stable URL, of which the end is known."""
    clock.moment = START + timedelta(minutes=59)
    names = ["variants/private/users/1/20241201_143022_a1b2c3d4/640-2b9db108.avif", KEY]

    urls, expires_at = service.stable_object_urls(names)

    assert [urlsplit(url).path for url in urls] == [f"/{name}" for name in names]
    assert urls[1] == service.get_presigned_url(KEY, stable=True)
    assert {lifetime_of(url) for url in urls} == {(START, expires_at)}
    assert expires_at == START + timedelta(hours=2)


def test_objects_of_private_images_behind_a_cdn(clock: Clock) -> None:
    """Where a CDN signs, the objects' URLs lead there, and are the same for a window too."""
    policy = DeliveryPolicy(url_window_seconds=WINDOW)
    service = service_on(MemoryStore(), now=clock, delivery=policy, cdn=RecordingCdn())
    clock.moment = START + timedelta(minutes=59)

    urls, expires_at = service.stable_object_urls([KEY])

    assert urls == [f"{service.get_image_url(KEY)}?until=16:00"]
    assert expires_at == START + timedelta(hours=2)
