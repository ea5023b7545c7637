"""Variants of an upload: stored while they are rendered, before the original, listed in the result and in the facts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from PIL import Image

from app.core.exceptions import InvalidRequest
from app.images.formats import ImageFormat
from app.images.records import FocalPoint, RenderPlan
from app.images.variants import VariantTable
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from app.services.protocols import ByteRange, ListedObject, NewObject, ObjectStream, StoredObject
from tests.pictures import add_jpeg_segments, make_jpeg
from tests.services.emitting import (
    FACTS,
    SPECS,
    EmittingProcessor,
    WatchedStore,
    digest_of,
    emitting_service,
    rendition_of,
    until,
)
from tests.services.image_services import KEY, SENT, put, service_on

# EXIF 2.32, tables 4 and 5: who made it, whose it is, where it was taken.
ARTIST, COPYRIGHT, GPS = 0x013B, 0x8298, 0x8825
STEM = "variants/users/123/20241201_143022_a1b2c3d4"


async def test_result_lists_the_variants() -> None:
    """An upload answers with every variant: what it was made for, where it lies, how large it is."""
    service = emitting_service(MemoryStore(), tokens=["a1b2c3d4"])
    result = await service.upload_image(SENT, "user", 123)
    assert [(variant["name"], variant["format"]) for variant in result["variants"]] == [
        (spec.name, spec.format.value) for spec in SPECS
    ]
    first = result["variants"][0]
    body = rendition_of(SPECS[0]).body
    assert first == {
        "name": "640",
        "s3_key": f"{STEM}/{SPECS[0].file_name}",
        "url": f"https://photos.s3.eu-central-1.amazonaws.com/{STEM}/{SPECS[0].file_name}",
        "width": 640,
        "height": 640,
        "format": "avif",
        "file_size": len(body),
    }


@pytest.mark.parametrize(
    ("image_type", "cache_control"),
    [("user", "public, max-age=31536000, immutable"), ("document", "private, no-store")],
)
async def test_variants_lie_in_the_store(image_type: str, cache_control: str) -> None:
    """Every variant is an object of its own with its type, its digest, and the caching of its image."""
    store = WatchedStore()
    service = emitting_service(store)
    result = await service.upload_image(SENT, image_type, 123)
    for spec, variant in zip(SPECS, result["variants"], strict=True):
        stored = await store.head(variant["s3_key"])
        assert stored is not None
        assert stored.content_type == spec.format.content_type
        assert stored.cache_control == cache_control
        assert stored.metadata == {"sha256": digest_of(rendition_of(spec).body)}
        assert stored.size == variant["file_size"]
    assert len(await store.keys()) == len(SPECS) + 1


class CountingStore(MemoryStore):
    """Remembers which questions it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def head(self, key: str) -> StoredObject | None:
        self.asked.append("head")
        return await super().head(key)

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        self.asked.append("get")
        return await super().get(key, byte_range)

    async def list(self, prefix: str, *, start_after: str = "", limit: int = 1000) -> list[ListedObject]:
        self.asked.append("list")
        return await super().list(prefix, start_after=start_after, limit=limit)


async def test_metadata_repeats_the_variants_by_one_question() -> None:
    """Everything an upload answered, its variants too, is known later by asking the store once."""
    store = CountingStore()
    service = emitting_service(store)
    result = await service.upload_image(SENT, "user", 123, focal_point=(0.25, 0.75))
    store.asked.clear()
    described = await service.get_image_metadata(result["s3_key"])
    assert store.asked == ["head"]
    assert {name: cast(dict[str, Any], described)[name] for name in result} == result
    assert described["metadata"]["thumbhash"] == FACTS.thumbhash
    assert described["metadata"]["blurhash"] == FACTS.blurhash
    assert described["metadata"]["dominant_color"] == FACTS.dominant_color
    assert described["metadata"]["dhash"] == FACTS.dhash
    assert described["metadata"]["is_animated"] is False
    assert described["metadata"]["focal_point"] == {"x": 0.25, "y": 0.75}
    assert described["metadata"]["privacy"] == {"removed": [], "kept": []}


async def test_image_of_an_older_version(memory_image_service: ImageService) -> None:
    """An image that was stored before there were variants has none, and its newer facts are not known."""
    await put(memory_image_service, KEY)
    described = await memory_image_service.get_image_metadata(KEY)
    assert described["variants"] == []
    facts = cast(dict[str, Any], described["metadata"])
    unknown = ("is_animated", "thumbhash", "blurhash", "dominant_color", "dhash", "focal_point", "privacy")
    assert [facts[name] for name in unknown] == [None] * len(unknown)


async def test_first_variant_is_stored_before_rendering_ends() -> None:
    """Storing and rendering go on at the same time: the first variant is there while the last is still being made."""
    store = WatchedStore()
    seen_meanwhile: list[int] = []

    async def wait_for_the_others(number: int) -> None:
        await until(lambda: len(store.created) >= number)
        seen_meanwhile.append(len(store.created))

    service = emitting_service(store, processor=EmittingProcessor(pause=wait_for_the_others))
    await service.upload_image(SENT, "user", 123)
    assert seen_meanwhile == list(range(len(SPECS) + 1))


async def test_original_is_stored_last() -> None:
    """The original is the commit point: when it is there, all its variants are."""

    async def take_a_moment(new: NewObject) -> None:
        # The first take longest, so that an original which does not wait would overtake them.
        for _ in range(200 - len(store.created)):
            await asyncio.sleep(0)

    store = WatchedStore(take_a_moment)
    result = await emitting_service(store).upload_image(SENT, "user", 123)
    assert [new.key for new in store.created][-1] == result["s3_key"]
    assert len(store.created) == len(SPECS) + 1


async def test_writes_at_once_are_bounded() -> None:
    """However many variants there are, one upload writes at most eight of them at once."""

    async def take_a_moment(_: NewObject) -> None:
        await asyncio.sleep(0.002)

    store = WatchedStore(take_a_moment)
    plans = {"user": RenderPlan(variants=VariantTable(widths=tuple(range(100, 112))).specs())}
    service = service_on(store, processor=EmittingProcessor(), plans=plans)
    await service.upload_image(SENT, "user", 123)
    assert len(store.created) == 31
    assert 1 < store.most_under_way <= 8


async def test_two_specs_that_end_as_one_file() -> None:
    """A file that two specs make, one as a stand-in of the other, is stored and listed once."""
    webp = replace(SPECS[0], format=ImageFormat.WEBP)
    plans = {"user": RenderPlan(variants=(webp, webp, SPECS[1]))}
    store = WatchedStore()
    result = await service_on(store, processor=EmittingProcessor(), plans=plans).upload_image(SENT, "user", 123)
    assert [variant["s3_key"].rpartition("/")[2] for variant in result["variants"]] == [
        webp.file_name,
        SPECS[1].file_name,
    ]
    assert len(await store.keys()) == 3


@pytest.mark.parametrize("extension", ["png", "webp", "avif"])
async def test_variants_of_any_original_lie_under_its_stem(extension: str) -> None:
    """The key is drawn before the original's format is known; its variants lie under the same stem all the same."""
    image_format = next(each for each in ImageFormat if each.extension == extension)
    service = emitting_service(MemoryStore(), processor=EmittingProcessor(image_format=image_format))
    result = await service.upload_image(SENT, "property")
    stem = result["s3_key"].removesuffix(f".{extension}")
    assert all(variant["s3_key"].startswith(f"variants/{stem}/") for variant in result["variants"])
    assert (await service.get_image_metadata(result["s3_key"]))["variants"] == result["variants"]


async def test_focal_point_reaches_the_engine() -> None:
    """What crops are to keep in view is told to the engine and kept in the facts; without one nothing is."""
    processor = EmittingProcessor()
    service = emitting_service(MemoryStore(), processor=processor)
    result = await service.upload_image(SENT, "user", 1, focal_point=(0.5, 0.3))
    plain = await service.upload_image(SENT, "user", 1)
    batch = await service.upload_images([SENT, SENT], "user", 1, focal_point=(1, 0))
    assert result["metadata"]["focal_point"] == {"x": 0.5, "y": 0.3}
    assert plain["metadata"]["focal_point"] is None
    assert all(outcome.result and outcome.result["metadata"]["focal_point"] == {"x": 1, "y": 0} for outcome in batch)
    assert [plan.focal_point for plan in processor.plans] == [
        FocalPoint(0.5, 0.3),
        None,
        FocalPoint(1, 0),
        FocalPoint(1, 0),
    ]


@pytest.mark.parametrize("point", [(0.5,), (1.5, 0), (float("nan"), 0), "0.5,0.3"], ids=repr)
async def test_focal_point_outside_the_picture(point: Any) -> None:
    """A point that is none is refused before the file is even read."""
    store = WatchedStore()
    with pytest.raises(InvalidRequest):
        await emitting_service(store).upload_image("/no/such/file", "user", 1, focal_point=point)
    assert store.created == []


async def test_each_type_has_its_own_variants() -> None:
    """Images of a type get that type's variants, and those of a type without any are their original alone."""
    plans = {"user": RenderPlan(variants=SPECS[:3]), "room": RenderPlan()}
    service = service_on(MemoryStore(), processor=EmittingProcessor(), plans=plans)
    assert len((await service.upload_image(SENT, "user", 1))["variants"]) == 3
    alone = await service.upload_image(SENT, "room", 1)
    assert alone["variants"] == (await service.get_image_metadata(alone["s3_key"]))["variants"] == []


async def test_copyright_is_kept_where_it_is_asked_for() -> None:
    """With the setting the stored picture says who made it and whose it is, and the receipt says so; else neither."""
    tags = Image.Exif()
    tags[ARTIST], tags[COPYRIGHT] = "Ann Example", "(c) Ann Example"
    tags.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0)})
    sent = add_jpeg_segments(make_jpeg(64, 48), [(0xE1, b"Exif\0\0" + tags.tobytes().removeprefix(b"Exif\0\0"))])
    for keeps, kept in ((True, ["copyright", "creator"]), (False, [])):
        service = service_on(MemoryStore(), keeps_copyright=keeps)
        result = await service.upload_image(sent, "user", 1)
        stored = await service.download_image(result["s3_key"])
        receipt = result["metadata"]["privacy"]
        assert receipt is not None
        assert receipt["kept"] == kept
        assert "gps" in receipt["removed"]
        assert (b"Ann Example" in stored) is keeps
        assert result["metadata"]["sha256"] == digest_of(stored)
