"""HEICs and AVIFs with canaries in items, names, properties, boxes, and inside the coded pictures."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

from tests.planted.blocks import exif_block, profile, xmp_packet
from tests.planted.heif_boxes import HeifItem, box, coded_picture, full_box, heif_of
from tests.planted.jpegs import video
from tests.planted.registry import FULL_EXIF_FACTS, XMP_FACTS, mark, plant

XMP_TYPE = b"application/rdf+xml"
DESCRIBES_FIRST = ((b"cdsc", 1),)
DEPTH = b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0"


def plant_both(
    what: str, *facts: str, also: frozenset[str] = frozenset()
) -> Callable[[Callable[[str, str], bytes]], None]:
    """As `plant`, for both brands; the function gets the brand too."""

    def register(make: Callable[[str, str], bytes]) -> None:
        for brand in ("heic", "avif"):
            plant(f"{brand} {what}", *facts, also=also)(lambda name, of=brand: make(name, of))  # type: ignore[misc]

    return register


@plant_both("exif", also=FULL_EXIF_FACTS)
def _(name: str, brand: str) -> bytes:
    exif = HeifItem(b"Exif", b"\0\0\0\6Exif\0\0" + exif_block(name), references=DESCRIBES_FIRST)
    return heif_of(brand, [coded_picture(brand), exif])


@plant_both("xmp", also=XMP_FACTS)
def _(name: str, brand: str) -> bytes:
    xmp = HeifItem(b"mime", xmp_packet(name), content_type=XMP_TYPE, references=DESCRIBES_FIRST)
    return heif_of(brand, [coded_picture(brand), xmp])


@plant_both("items", "application_data", "text")
def _(name: str, brand: str) -> bytes:
    return heif_of(
        brand,
        [
            replace(coded_picture(brand), name=mark(name, "picture name")),
            HeifItem(b"mime", mark(name, "plain"), mark(name, "item name"), b"text/plain", references=DESCRIBES_FIRST),
            HeifItem(b"uri ", mark(name, "uri"), content_type=b"urn:" + mark(name, "uri type")),
            HeifItem(b"ownk", mark(name, "own kind"), references=DESCRIBES_FIRST),
        ],
        handler_name=mark(name, "handler"),
    )


@plant_both("properties", "icc_profile", "descriptions", "application_data")
def _(name: str, brand: str) -> bytes:
    coded = coded_picture(brand)
    described = b"en\0" + mark(name, "title") + b"\0" + mark(name, "description") + b"\0" + mark(name, "tags") + b"\0"
    added = [
        box(b"colr", b"prof" + profile(name)),
        full_box(b"udes", described),
        full_box(b"altt", mark(name, "alternative") + b"\0en\0"),
        box(b"uuid", bytes(16) + mark(name, "uuid")),
    ]
    kept = [each for each in coded.properties if each[4:8] != b"colr"]
    return heif_of(brand, [replace(coded, properties=[*kept, *added])])


@plant_both("pictures", "second_pictures", "thumbnail")
def _(name: str, brand: str) -> bytes:
    """A thumbnail, a depth map and a picture that nothing refers to."""
    coded = coded_picture(brand)
    depth = full_box(b"auxC", DEPTH + mark(name, "depth"))
    return heif_of(
        brand,
        [
            coded,
            replace(coded, payload=coded.payload + mark(name, "thumbnail"), references=((b"thmb", 1),)),
            replace(coded, properties=[*coded.properties, depth], references=((b"auxl", 1),)),
            replace(coded, payload=coded.payload + mark(name, "hidden")),
        ],
    )


@plant_both("boxes", "application_data", "second_pictures", "video")
def _(name: str, brand: str) -> bytes:
    return heif_of(
        brand,
        [coded_picture(brand)],
        in_meta=box(b"uuid", bytes(16) + mark(name, "inner uuid")) + full_box(b"xml ", mark(name, "xml")),
        behind_items=mark(name, "among samples"),
        behind=box(b"free", mark(name, "free"))
        + box(b"uuid", bytes(16) + mark(name, "uuid"))
        + box(b"moov", box(b"udta", mark(name, "movie")))
        + box(b"mpvd", video(name)),
    )


@plant("heic coded message")
def _(name: str) -> bytes:
    """A message in the coded picture that says what its sender likes (ITU-T H.265, annex D)."""
    coded = coded_picture("heic")
    text = bytes(16) + mark(name, "message")
    message = b"\x4e\x01\x05" + bytes([len(text)]) + text + b"\x80"
    return heif_of("heic", [replace(coded, payload=struct.pack(">I", len(message)) + message + coded.payload)])


@plant("avif coded message")
def _(name: str) -> bytes:
    """Metadata and padding in the coded picture (AV1 specification, clauses 5.8 and 5.7)."""
    coded = coded_picture("avif")
    registered = b"\x04\xb5" + mark(name, "metadata") + b"\x80"
    padding = mark(name, "padding") + b"\x80"
    units = bytes([5 << 3 | 2, len(registered)]) + registered + bytes([15 << 3 | 2, len(padding)]) + padding
    return heif_of("avif", [replace(coded, payload=coded.payload + units)])
