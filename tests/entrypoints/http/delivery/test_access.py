"""Who may ask `/img` for what: signatures come first, then presets and widths, then nothing."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.core.delivery_settings import DeliveryAccess
from app.core.exceptions import InvalidRequest, InvalidTransform
from app.images.signatures import SignedPicture, sign_picture
from app.services.delivery_policy import DeliveryPolicy
from tests.entrypoints.http.conftest import Api, assert_problem
from tests.entrypoints.http.delivery.delivering import KEYS, SIGNED, calls_of, delivering, make_service, show, upload

MUTATED_URLS = 2_000
PRESETS = DeliveryPolicy(access=DeliveryAccess.PRESETS)


def test_a_signed_url_shows_the_picture(api: Api, photo_key: str) -> None:
    """Whoever has the URL sees the picture, without any token."""
    assert show(api, photo_key, "w:200,f:jpeg").status_code == 200


@pytest.mark.parametrize("signature", ["-", "A" * 43, "A" * 42, "A" * 43 + ".1", "_", "%2E", "é"])
def test_without_the_signature_nothing_happens(api: Api, photo_key: str, signature: str) -> None:
    """A wrong signature is refused before the transform is read and before the store is asked."""
    calls_of(api)
    for transform in ("w:200", "nonsense", "w:200,w:201"):
        assert_problem(api.client.get(f"/img/{signature}/{transform}/{photo_key}"), 403, "URL_SIGNATURE_INVALID")
    assert_problem(api.client.get(f"/img/{signature}/w:200/no-key"), 403, "URL_SIGNATURE_INVALID")
    assert calls_of(api) == []


def test_mutated_urls_are_all_refused(api: Api, photo_key: str) -> None:
    """No change of a character anywhere in a signed URL's path gives a picture, or a failure of the service."""
    draw = random.Random(7)
    url = api.service.img_url(photo_key, "w:200,f:jpeg")
    for _ in range(MUTATED_URLS):
        at = draw.randrange(len("/img/"), len(url))
        letter = draw.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/~")
        if letter != url[at]:
            answer = api.client.get(url[:at] + letter + url[at + 1 :])
            assert answer.status_code in {400, 403, 404}, answer.text
    assert api.client.get(url).status_code == 200


def test_keys_are_rotated_without_breaking_urls(photo_key: str, api: Api) -> None:
    """URLs of the older key are good until it is taken off the list; new ones are signed with the first."""
    old = make_service(replace(SIGNED, keys=KEYS[1:])).img_url(photo_key, "w:200")
    new = api.service.img_url(photo_key, "w:200")
    assert old != new
    assert [api.client.get(url).status_code for url in (old, new)] == [200, 200]
    with delivering(keys=KEYS[:1]) as rotated:
        assert_problem(rotated.client.get(old), 403, "URL_SIGNATURE_INVALID")


def test_a_url_that_ends_is_cached_no_longer_than_it_lives(api: Api, photo_key: str) -> None:
    """Caches keep the picture until the URL ends; after that it is refused."""
    url = api.service.img_url(photo_key, "w:200", expires_in=100)
    kind, _, age = api.client.get(url).headers["cache-control"].partition(", max-age=")
    assert (kind, 90 <= int(age) <= 101) == ("public", True)


def test_an_expired_url_is_refused() -> None:
    """A URL whose time is over says so."""
    service = make_service(now=lambda: datetime(2020, 1, 1, tzinfo=UTC))
    with delivering() as api:
        key = upload(api)
        assert_problem(api.client.get(service.img_url(key, "w:200", expires_in=60)), 403, "URL_EXPIRED")


def test_another_wording_is_sent_to_the_one_url(api: Api, photo_key: str) -> None:
    """Options in another order, or the same size in other words, lead to the picture's only URL."""
    text = "f:jpeg,dpr:2,w:100"
    signature = sign(text, photo_key)
    answer = api.client.get(f"/img/{signature}/{text}/{photo_key}")
    assert answer.status_code == 308
    assert answer.headers["location"] == api.service.img_url(photo_key, "w:200,f:jpeg")
    assert api.client.get(answer.headers["location"]).status_code == 200


def sign(text: str, s3_key: str) -> str:
    return sign_picture(SignedPicture(text, s3_key), KEYS[0])


@pytest.mark.parametrize("transform", ["w:0", "w:100,w:100", "x:1", "w:100,fit:cover", "p:nothing", "f:gif"])
def test_wrong_options_are_named(api: Api, photo_key: str, transform: str) -> None:
    """A signed URL with options that make no sense is told which."""
    answer = api.client.get(f"/img/{sign(transform, photo_key)}/{transform}/{photo_key}")
    problem = assert_problem(answer, 400, "TRANSFORM_INVALID")
    assert transform.split(",")[-1].split(":")[0] in problem["detail"]


def test_presets_and_widths_need_no_signature() -> None:
    """Without keys strangers get the presets and widths that are made anyway, in no dearer formats, and no more."""
    with delivering(PRESETS) as api:
        key = upload(api)
        for allowed in ("p:square", "w:160", "w:320,f:webp", "p:square,f:jpeg", "w:160,f:avif"):
            assert api.client.get(f"/img/-/{allowed}/{key}").status_code == 200, allowed
        for refused in ("w:161", "w:160,h:100", "w:160,q:5", "p:square,blur:3", "f:webp", "w:160,f:png", "p:other"):
            assert_problem(api.client.get(f"/img/-/{refused}/{key}"), 400, "TRANSFORM_INVALID")


def test_without_keys_no_signature_is_good() -> None:
    """A service without keys accepts no signature, also not one of an empty key."""
    with delivering(PRESETS) as api:
        key = upload(api)
        assert_problem(api.client.get(f"/img/{sign('w:160', key)}/w:160/{key}"), 403, "URL_SIGNATURE_INVALID")
    with pytest.raises(InvalidTransform):
        make_service(PRESETS).img_url(key, "w:161")
    with pytest.raises(InvalidRequest):
        make_service(PRESETS).img_url(key, "w:160", expires_in=60)


def test_open_access_makes_anything() -> None:
    """In development any transform may be asked for without a signature."""
    with delivering(access=DeliveryAccess.OPEN) as api:
        key = upload(api)
        assert api.client.get(f"/img/-/w:77,h:55,fit:cover,q:40/{key}").status_code == 200


@pytest.mark.parametrize("access", [DeliveryAccess.SIGNED, DeliveryAccess.PRESETS, DeliveryAccess.OPEN])
def test_private_images_need_a_url_that_ends(access: DeliveryAccess) -> None:
    """A private picture is shown to a signed URL with an expiry, in every mode; without one it is not there."""
    with delivering(access=access) as api:
        key = upload(api, image_type="document")
        url = api.service.img_url(key, "w:160")
        shown = api.client.get(url)
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "private, no-store")
        assert shown.headers["referrer-policy"] == "no-referrer"
        refused = api.client.get(f"/img/-/w:160/{key}").status_code
        assert refused == (403 if access is DeliveryAccess.SIGNED else 404)
        assert_problem(api.client.get(f"/img/{sign('w:160', key)}/w:160/{key}"), 403, "URL_SIGNATURE_INVALID")


def test_private_pictures_are_kept_as_long_as_the_settings_say() -> None:
    """With PRIVATE_CACHE_SECONDS a browser may keep a private picture for that long."""
    with delivering(private_cache_seconds=300) as api:
        key = upload(api, image_type="document")
        assert show(api, key, "w:160").headers["cache-control"] == "private, max-age=300"


def test_urls_of_private_images_are_stable_within_a_window() -> None:
    """Within a window a private image keeps its URL, so browsers can cache it; the next window has another one."""
    moment = [1_000_000 * 3600.0]
    service = make_service(now=lambda: datetime.fromtimestamp(moment[0], UTC))
    key = "documents/123/20241201_143022_a1b2c3d4.jpg"
    first = service.image_url(key, 160)
    moment[0] += 3599
    assert service.image_url(key, 160) == first
    expires_at = int(first.split("/")[2].partition(".")[2])
    assert expires_at - moment[0] >= 3600
    moment[0] += 1
    assert service.image_url(key, 160) != first


def test_signatures_are_not_logged(api: Api, photo_key: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who reads the log cannot see pictures by it: neither good signatures nor almost good ones stand in it."""
    caplog.set_level(logging.INFO, "heaven.access")
    url = api.service.img_url(photo_key, "w:200")
    signature = url.split("/")[2]
    api.client.get(url)
    api.client.get(url.replace(signature, signature[:-1]))
    logged = [vars(record) for record in caplog.records if record.name.startswith("heaven")]
    assert [entry["path"] for entry in logged] == [f"/img/***/w%3A200/{photo_key}"] * 2
    assert signature[:20] not in str(logged)
