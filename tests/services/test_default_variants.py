"""The default settings from end to end: what one photo becomes, object by object."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from app.core.config import Settings
from app.services.engine_plans import plans_of
from app.services.image_service import ImageService
from app.services.memory_store import MemoryStore
from tests.pictures import make_jpeg
from tests.services.image_services import service_on


def service_with_defaults() -> ImageService:
    return service_on(MemoryStore(), plans=plans_of(Settings.load(_env_file=None)))


async def body_of(service: ImageService, key: str) -> bytes:
    stream = await service.parts.store.get(key)
    return b"".join([chunk async for chunk in stream.chunks])


async def test_one_photo_in_all_its_variants() -> None:
    """Each listed variant lies in the store in the format and size that are told, and together they tell the photo."""
    service = service_with_defaults()
    sent = make_jpeg(1500, 1000, orientation=6, gps=True)
    result = await service.upload_image(sent, "property", 17, focal_point=(0.5, 0.2))

    sizes: dict[str, tuple[int, int]] = {}
    for variant in result["variants"]:
        body = await body_of(service, variant["s3_key"])
        picture: Any = Image.open(io.BytesIO(body), formats=[variant["format"].upper()])
        picture.load()
        assert picture.size == (variant["width"], variant["height"])
        assert len(body) == variant["file_size"]
        assert not picture.getexif()
        sizes[variant["name"]] = picture.size
    # Upright 1000 by 1500: nothing is enlarged, boxes are filled where the photo is large enough.
    assert {name: sizes[name] for name in ("640", "320", "thumb", "card")} == {
        "640": (640, 960),
        "320": (320, 480),
        "thumb": (320, 320),
        "card": (640, 480),
    }
    assert all(width <= 1000 and height <= 1500 for width, height in sizes.values())
    assert {variant["format"] for variant in result["variants"]} == {"avif", "jpeg"}

    described = await service.get_image_metadata(result["s3_key"])
    assert described["variants"] == result["variants"]
    facts = described["metadata"]
    assert (facts["width"], facts["height"], facts["is_animated"]) == (1000, 1500, False)
    assert facts["focal_point"] == {"x": 0.5, "y": 0.2}
    receipt = facts["privacy"]
    assert receipt is not None
    assert "gps" in receipt["removed"]
    assert all(facts[name] for name in ("thumbhash", "blurhash", "dominant_color", "dhash"))

    assert await service.delete_image(result["s3_key"]) is True
    assert await service.parts.store.list("") == []


async def test_same_photo_twice() -> None:
    """The same photo gives the same bytes and facts each time, under keys of its own."""
    service = service_with_defaults()
    sent = make_jpeg(700, 500)
    first, second = [await service.upload_image(sent, "user", 1) for _ in range(2)]
    assert first["metadata"] == second["metadata"]
    assert [(each["name"], each["file_size"]) for each in first["variants"]] == [
        (each["name"], each["file_size"]) for each in second["variants"]
    ]
    assert not {each["s3_key"] for each in first["variants"]} & {each["s3_key"] for each in second["variants"]}
