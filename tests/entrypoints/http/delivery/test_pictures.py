"""What `/img` sends: the right picture, from the bucket where it lies there, with headers that caches understand."""

from __future__ import annotations

import pytest

from app.core.delivery_settings import AvifChoice
from app.core.exceptions import ConfigurationError
from tests.entrypoints.http.conftest import Api, assert_problem
from tests.entrypoints.http.delivery.delivering import calls_of, delivering, picture_of, show, upload
from tests.pictures import make_jpeg, make_png, photo

CHROME = "image/avif,image/webp,image/apng,image/*,*/*;q=0.8"
MISSING = "users/123/20241201_143022_a1b2c3d4.jpg"


@pytest.mark.parametrize(
    ("transform", "size", "kind"),
    [
        ("w:200,f:jpeg", (200, 150), "JPEG"),
        ("h:90,f:webp", (120, 90), "WEBP"),
        ("w:100,h:200,fit:cover,f:png", (100, 200), "PNG"),
        ("w:100,h:200,fit:contain,f:avif", (100, 200), "AVIF"),
        ("w:5000,f:webp", (640, 480), "WEBP"),
        ("rotate:90,w:90,f:jpeg", (90, 120), "JPEG"),
        ("p:square,f:webp", (100, 100), "WEBP"),
    ],
)
def test_the_picture_is_what_was_asked_for(
    api: Api, photo_key: str, transform: str, size: tuple[int, int], kind: str
) -> None:
    """Size and format are those of the URL; nothing is enlarged."""
    answer = show(api, photo_key, ",".join(sorted(transform.split(","))))
    picture = picture_of(answer)
    assert (picture.size, picture.format) == (size, kind)
    assert answer.headers["content-type"] == f"image/{kind.lower()}"


def test_what_the_upload_made_is_sent_as_it_is(api: Api, photo_key: str) -> None:
    """A width of the variants, a preset, the whole image: nothing is made and nothing is stored a second time."""
    before = set(api.stored_keys())
    for transform, accept in (
        ("w:320", CHROME),
        ("w:320", "*/*"),
        ("p:square", CHROME),
        ("f:auto", "*/*"),
        ("w:9", ""),
    ):
        if transform != "w:9":
            picture_of(show(api, photo_key, transform, accept=accept))
    assert set(api.stored_keys()) == before


def test_a_result_is_made_once_and_found_from_then_on(api: Api, photo_key: str) -> None:
    """The second request for a result reads one object and decodes nothing."""
    first = show(api, photo_key, "w:200,f:webp")
    results = [key for key in api.stored_keys() if "/t-" in key]
    assert len(results) == 1
    calls_of(api)
    second = show(api, photo_key, "w:200,f:webp")
    assert calls_of(api) == [("get", results[0])]
    assert (second.content, second.headers["etag"]) == (first.content, first.headers["etag"])


def test_another_replica_finds_the_result(api: Api, photo_key: str) -> None:
    """A service that has just started sends what another one has made."""
    made = show(api, photo_key, "w:200,f:webp")
    with delivering() as replica:
        replica.service.parts.store._entries = api.service.parts.store._entries  # type: ignore[attr-defined]
        calls_of(replica)
        found = show(replica, photo_key, "w:200,f:webp")
        assert found.content == made.content
        assert [call for call, _ in calls_of(replica)] == ["head", "get"]


def test_one_picture_has_one_key(api: Api, photo_key: str) -> None:
    """Whatever is wider than the image is the same picture, stored once."""
    for width in (641, 700, 5000):
        show(api, photo_key, f"w:{width},f:webp")
    show(api, photo_key, "f:webp")
    assert len([key for key in api.stored_keys() if "/t-" in key]) == 1


def test_small_pictures_are_made_from_the_nearest_larger_variant(api: Api, photo_key: str) -> None:
    """A picture of 100 pixels is made from the variant of 160, not from the original."""
    calls_of(api)
    show(api, photo_key, "w:100,f:webp")
    read = [key for call, key in calls_of(api) if call == "get" and "/t-" not in key]
    assert len(read) == 1
    assert "/160-" in read[0]


def test_a_variant_that_was_lost_is_made_anew(api: Api, photo_key: str) -> None:
    """A variant that the image's facts list and that is not in the bucket any more comes back when it is asked for."""
    before = set(api.stored_keys())
    lost = [key for key in before if "/320-" in key or "/square-" in key]
    assert api.client.portal
    for key in lost:
        api.client.portal.call(api.service.parts.store.delete, key)
    assert picture_of(show(api, photo_key, "w:320", accept=CHROME)).size == (320, 240)
    assert picture_of(show(api, photo_key, "w:320")).format == "JPEG"
    assert picture_of(show(api, photo_key, "p:square", accept=CHROME)).size == (100, 100)
    assert picture_of(show(api, photo_key, "p:square,f:jpeg")).size == (100, 100)
    assert set(api.stored_keys()) == before


@pytest.mark.parametrize(
    ("accept", "kind"), [(CHROME, "AVIF"), ("image/webp,*/*", "WEBP"), ("*/*", "JPEG"), ("image/avif;q=0", "JPEG")]
)
def test_the_client_gets_a_format_that_it_takes(api: Api, photo_key: str, accept: str, kind: str) -> None:
    """`f:auto` answers by `Accept` and tells caches so; a format in the URL is not negotiated."""
    answer = show(api, photo_key, "w:200", accept=accept)
    assert (picture_of(answer).format, answer.headers["vary"]) == (kind, "Accept")
    fixed = show(api, photo_key, "w:200,f:png", accept=accept)
    assert picture_of(fixed).format == "PNG"
    assert "vary" not in fixed.headers


@pytest.mark.parametrize(
    ("choice", "made", "stored"),
    [
        (AvifChoice.NEVER, "WEBP", "WEBP"),
        (AvifChoice.STORED, "WEBP", "AVIF"),
        (AvifChoice.SMALL, "AVIF", "AVIF"),
        (AvifChoice.ALWAYS, "AVIF", "AVIF"),
    ],
)
def test_avif_where_it_pays(choice: AvifChoice, made: str, stored: str) -> None:
    """By setting AVIF is made while a browser waits, only sent where it is stored already, or not sent at all."""
    with delivering(avif=choice) as api:
        key = upload(api)
        assert picture_of(show(api, key, "w:200", accept=CHROME)).format == made
        assert picture_of(show(api, key, "w:320", accept=CHROME)).format == stored


def test_large_avifs_are_not_made_while_a_browser_waits() -> None:
    """Beyond DELIVERY_AVIF_MAX_PIXELS the browser gets WebP, and AVIF once somebody has made it."""
    with delivering(avif_max_pixels=200 * 150) as api:
        key = upload(api)
        assert picture_of(show(api, key, "w:200", accept=CHROME)).format == "AVIF"
        assert picture_of(show(api, key, "w:201", accept=CHROME)).format == "WEBP"
        picture_of(show(api, key, "w:202,f:avif"))
        assert picture_of(show(api, key, "w:202", accept=CHROME)).format == "AVIF"


def test_pictures_that_shine_through_stay_so(api: Api) -> None:
    """Who takes neither AVIF nor WebP gets alpha as PNG, and on the background as a JPEG."""
    key = upload(api, make_png(300, 200, picture=photo(300, 200, mode="RGBA")))
    assert picture_of(show(api, key, "w:111")).mode in {"RGBA", "LA", "PA", "P"}
    flattened = picture_of(show(api, key, "w:111,bg:ff0000,f:jpeg")).convert("RGB").getpixel((108, 40))
    assert isinstance(flattened, tuple)
    assert flattened[0] > 200


def test_headers_make_the_picture_cacheable_and_harmless(api: Api, photo_key: str) -> None:
    """A public picture is kept for ever, is nothing but a picture, and may be shown on any page."""
    headers = show(api, photo_key, "w:200,f:jpeg").headers
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["accept-ranges"] == "bytes"
    assert not headers["etag"].startswith("W/")
    assert headers["last-modified"].endswith("GMT")


def test_conditions_ranges_and_head(api: Api, photo_key: str) -> None:
    """A copy that is still good is not sent again, a range is cut out, and HEAD tells what GET would."""
    url = api.service.img_url(photo_key, "w:200,f:jpeg")
    whole = api.client.get(url)
    etag, modified = whole.headers["etag"], whole.headers["last-modified"]
    assert api.client.get(url, headers={"if-none-match": etag}).status_code == 304
    assert api.client.get(url, headers={"if-none-match": '"other"'}).status_code == 200
    assert api.client.get(url, headers={"if-modified-since": modified}).status_code == 304
    part = api.client.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    assert_problem(api.client.get(url, headers={"range": "bytes=99999999-"}), 416, "RANGE_NOT_SATISFIABLE")
    stale = api.client.get(url, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert (stale.status_code, stale.content) == (200, whole.content)
    head = api.client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.headers["etag"] == etag


def test_head_of_a_new_result(api: Api, photo_key: str) -> None:
    """HEAD of what nobody has asked for yet answers as GET would."""
    url = api.service.img_url(photo_key, "w:123,f:jpeg")
    head = api.client.head(url)
    assert head.headers["content-length"] == str(len(api.client.get(url).content))


def test_other_methods_are_refused(api: Api, photo_key: str) -> None:
    """Only GET and HEAD are answered."""
    answer = api.client.post(api.service.img_url(photo_key, "w:200"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_missing_image_is_not_there(api: Api) -> None:
    """A signed URL of an image that does not exist is a 404 that nobody caches."""
    answer = show(api, MISSING, "w:200")
    assert_problem(answer, 404, "IMAGE_NOT_FOUND")
    assert answer.headers["cache-control"] == "no-store"


def test_a_deleted_image_is_gone_with_its_results(api: Api, photo_key: str) -> None:
    """After a delete neither the image nor any result is in the bucket, and no URL shows one."""
    for width in (100, 200):
        show(api, photo_key, f"w:{width},f:webp")
    assert api.client.portal
    api.client.portal.call(api.service.delete_image, photo_key)
    assert api.stored_keys() == []
    assert_problem(show(api, photo_key, "w:100,f:webp"), 404, "IMAGE_NOT_FOUND")


def test_a_fallback_is_shown_where_an_image_is_missing() -> None:
    """With DELIVERY_FALLBACK_KEY a missing image shows that picture, in the size asked for and only for a minute."""
    with delivering() as first:
        fallback = upload(first, make_jpeg(300, 300), "property", None)
        with delivering(fallback_key=fallback) as api:
            api.service.parts.store._entries = first.service.parts.store._entries  # type: ignore[attr-defined]
            answer = show(api, MISSING, "w:50,f:jpeg")
            assert picture_of(answer).size == (50, 50)
            assert answer.headers["cache-control"] == "public, max-age=60"
            assert api.client.head(api.service.img_url(MISSING, "w:50,f:jpeg")).status_code == 200


def test_a_missing_fallback_is_a_404() -> None:
    """A fallback that is not there either leaves the image missing."""
    with delivering(fallback_key="properties/20241201_143022_a1b2c3d4.jpg") as api:
        assert_problem(show(api, MISSING, "w:50"), 404, "IMAGE_NOT_FOUND")


@pytest.mark.parametrize("key", ["nonsense", "documents/1/20241201_143022_a1b2c3d4.jpg"], ids=["no key", "private"])
def test_a_fallback_that_cannot_be_shown_ends_the_start(key: str) -> None:
    """A fallback must be a public image: the service says so at its start, by the variable's name."""
    with pytest.raises(ConfigurationError, match="DELIVERY_FALLBACK_KEY"), delivering(fallback_key=key):
        pass
