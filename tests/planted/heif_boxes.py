"""HEIC and AVIF files of any items, properties and boxes around one coded picture (ISO/IEC 23008-12, 14496-12)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from tests.heic_pictures import make_heic
from tests.pictures import photo

WIDTH, HEIGHT = 128, 96
_PICTURE_PROPERTIES = {b"av1C", b"hvcC", b"ispe", b"pixi", b"colr"}


@dataclass(frozen=True)
class HeifItem:
    """One item; references are (kind, number of the item referred to), which count from 1 in the order of the file.

    `shares` is the number of an earlier item whose bytes are this one's too.
    """

    kind: bytes
    payload: bytes
    name: bytes = b""
    content_type: bytes | None = None
    properties: Sequence[bytes] = ()
    references: Sequence[tuple[bytes, int]] = ()
    shares: int | None = None


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def full_box(kind: bytes, payload: bytes, *, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]) + payload)


@cache
def coded_picture(brand: str) -> HeifItem:
    """A photo of `WIDTH` × `HEIGHT` as an item with the properties that decoders need, coded as `avif` or `heic`."""
    if brand == "avif":
        target = io.BytesIO()
        photo(WIDTH, HEIGHT).save(target, "AVIF", quality=60, speed=10)
        content, kind = target.getvalue(), b"av01"
    else:
        content, kind = make_heic(photo(WIDTH, HEIGHT)), b"hvc1"
    boxes = dict(_boxes(content, 0, len(content)))
    meta = dict(_boxes(boxes[b"meta"], 4, len(boxes[b"meta"])))
    properties = dict(_boxes(meta[b"iprp"], 0, len(meta[b"iprp"])))[b"ipco"]
    kept = [box(*each) for each in _boxes(properties, 0, len(properties)) if each[0] in _PICTURE_PROPERTIES]
    return HeifItem(kind, boxes[b"mdat"], properties=kept)


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while start < end:
        size = int.from_bytes(content[start : start + 4], "big")
        yield content[start + 4 : start + 8], content[start + 8 : start + size]
        start += size


def heif_of(
    brand: str,
    items: Sequence[HeifItem],
    *,
    handler_name: bytes = b"",
    in_meta: bytes = b"",
    behind_items: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A file whose first item is the primary one.

    `in_meta` and `behind` are whole boxes; `behind_items` are bytes among the coded ones that nothing points to.
    """
    numbered = list(enumerate(items, 1))
    head = box(b"ftyp", brand.encode() + bytes(4) + b"mif1" + brand.encode() + b"miaf")
    parts = full_box(b"hdlr", bytes(4) + b"pict" + bytes(12) + handler_name + b"\0") + full_box(b"pitm", b"\0\1")
    parts += full_box(b"iinf", struct.pack(">H", len(items)) + b"".join(_info(at, item) for at, item in numbered))
    references = b"".join(
        box(kind, struct.pack(">HHH", at, 1, to)) for at, item in numbered for kind, to in item.references
    )
    parts += (full_box(b"iref", references) if references else b"") + _properties(items) + in_meta
    offset = len(head) + 12 + len(parts) + 16 + 14 * len(items) + 8
    location = struct.pack(">HH", 0x4400, len(items))
    places: dict[int, tuple[int, int]] = {}
    for at, item in numbered:
        places[at] = places[item.shares] if item.shares else (offset, len(item.payload))
        location += struct.pack(">HHHII", at, 0, 1, *places[at])
        offset += len(item.payload)
    coded = b"".join(item.payload for item in items) + behind_items
    return head + full_box(b"meta", parts + full_box(b"iloc", location)) + box(b"mdat", coded) + behind


def _info(at: int, item: HeifItem) -> bytes:
    content_type = b"" if item.content_type is None else item.content_type + b"\0"
    return full_box(b"infe", struct.pack(">HH", at, 0) + item.kind + item.name + b"\0" + content_type, version=2)


def _properties(items: Sequence[HeifItem]) -> bytes:
    properties = [each for item in items for each in item.properties]
    associations, placed, entries = b"", 0, 0
    for at, item in enumerate(items, 1):
        if item.properties:
            used = bytes(range(placed + 1, placed + 1 + len(item.properties)))
            associations += struct.pack(">HB", at, len(used)) + used
            placed, entries = placed + len(used), entries + 1
    return box(
        b"iprp",
        box(b"ipco", b"".join(properties)) + full_box(b"ipma", struct.pack(">I", entries) + associations),
    )
