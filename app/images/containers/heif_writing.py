"""HEIF and AVIF: a new file of one picture and nothing else, its coded bytes as they were.

The same items and properties always give the same bytes. ISO/IEC 14496-12, clause 8.11; ISO/IEC 23008-12, clause 9.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from app.core.exceptions import ImageCorrupt
from app.images.containers.heif_items import HeifProperty
from app.images.containers.heif_picture import AV1, HeifPicture
from app.images.containers.reading import is_plausible_profile

# What decoding and the look of a picture need, and the fewest bytes of each. Further properties, free to invent, are
# not carried over.
_LEAST_BYTES = {
    b"ispe": 12,
    b"pixi": 5,
    b"pasp": 8,
    b"av1C": 4,
    b"hvcC": 23,
    b"irot": 1,
    b"imir": 1,
    b"clap": 32,
    b"auxC": 5,
    b"a1op": 1,
    b"a1lx": 1,
    b"lsel": 2,
}
_NCLX_BYTES = 11
_MAX_ITEMS = 0xFFFF
_MAX_PROPERTIES = 0x7FFF
_PROFILES = (b"prof", b"rICC")
_HIDDEN = 1


def keep_property(content: bytes, each: HeifProperty) -> bytes | None:
    """The payload of a property that decoding, or the look of the picture, needs; None for others.

    Raises:
        ImageCorrupt: it is shorter than its kind must be.
    """
    payload = content[each.start : each.end]
    if each.kind == b"colr":
        if payload.startswith(b"nclx") and len(payload) < _NCLX_BYTES:
            raise ImageCorrupt
        is_profile = payload.startswith(_PROFILES) and is_plausible_profile(len(payload) - 4)
        return payload if is_profile or payload.startswith(b"nclx") else None
    if each.kind not in _LEAST_BYTES:
        return None
    if len(payload) < _LEAST_BYTES[each.kind]:
        raise ImageCorrupt
    return payload


def keep_stream(stream: memoryview) -> bytes | memoryview:
    """Coded bytes as they are."""
    return stream


def write_heif(
    content: bytes,
    picture: HeifPicture,
    *,
    property_of: Callable[[bytes, HeifProperty], bytes | None] = keep_property,
    stream_of: Callable[[memoryview], bytes | memoryview] = keep_stream,
) -> bytes:
    """A file of this picture alone, with its alpha plane; each property and coded stream as the two functions give it.

    Raises:
        ImageCorrupt: it has more items or properties than such a file can have.
    """
    items = picture.items
    sources = dict.fromkeys([items.primary, *picture.tiles])
    if picture.alpha is not None:
        sources |= dict.fromkeys([picture.alpha, *picture.alpha_tiles])
    numbers = {item: number for number, item in enumerate(sources, 1)}
    if len(numbers) > _MAX_ITEMS:
        raise ImageCorrupt
    coded = {*picture.tiles, *picture.alpha_tiles}
    bodies = {
        item: stream_of(items.payload(content, item)) if item in coded else items.payload(content, item)
        for item in sources
    }
    shown = {items.primary, picture.alpha}
    is_av1 = items.kinds[picture.tiles[0]] in AV1
    head = _box(b"ftyp", b"avif\0\0\0\0avifmif1miaf" if is_av1 else b"heic\0\0\0\0mif1heicheix")
    parts = _full(b"hdlr", bytes(4) + b"pict" + bytes(13)) + _full(b"pitm", struct.pack(">H", 1))
    infos = [(number, items.kinds[item], 0 if item in shown else _HIDDEN) for item, number in numbers.items()]
    entries = b"".join(
        _full(b"infe", struct.pack(">HH4sx", number, 0, kind), version=2, flags=flags) for number, kind, flags in infos
    )
    parts += _full(b"iinf", struct.pack(">H", len(infos)) + entries) + _references(picture, numbers)
    parts += _properties(content, picture, numbers, property_of)
    offset = len(head) + 12 + len(parts) + 16 + 14 * len(bodies) + 8
    locations = struct.pack(">HH", 0x4400, len(bodies))
    for item, body in bodies.items():
        locations += struct.pack(">HHHII", numbers[item], 0, 1, offset, len(body))
        offset += len(body)
    meta = _full(b"meta", parts + _full(b"iloc", locations))
    data = struct.pack(">I4s", 8 + sum(map(len, bodies.values())), b"mdat")
    return b"".join([head, meta, data, *bodies.values()])


def _references(picture: HeifPicture, numbers: dict[int, int]) -> bytes:
    """Which tiles make up what, and whose plane the alpha is."""
    items, alpha = picture.items, picture.alpha
    boxes = b""
    for item, tiles in ((items.primary, picture.tiles), (alpha, picture.alpha_tiles)):
        if item is not None and tiles != (item,):
            boxes += _reference(b"dimg", numbers[item], [numbers[tile] for tile in tiles])
    if alpha is not None:
        boxes += _reference(b"auxl", numbers[alpha], [numbers[items.primary]])
        if alpha in items.references.get((b"prem", items.primary), ()):
            boxes += _reference(b"prem", numbers[items.primary], [numbers[alpha]])
    return _full(b"iref", boxes) if boxes else b""


def _reference(kind: bytes, number: int, targets: list[int]) -> bytes:
    return _box(kind, struct.pack(f">HH{len(targets)}H", number, len(targets), *targets))


def _properties(
    content: bytes,
    picture: HeifPicture,
    numbers: dict[int, int],
    property_of: Callable[[bytes, HeifProperty], bytes | None],
) -> bytes:
    """Each property once, however many items have it."""
    indices: dict[bytes, int] = {}
    entries = b""
    for item, number in numbers.items():
        used: list[int] = []
        for each in picture.items.properties.get(item, ()):
            payload = property_of(content, each)
            if payload is None:
                continue
            index = indices.setdefault(_box(each.kind, payload), len(indices) + 1)
            used.append(index | 0x8000 * each.is_essential)
        if len(used) > 0xFF or len(indices) > _MAX_PROPERTIES:
            raise ImageCorrupt
        entries += struct.pack(f">HB{len(used)}H", number, len(used), *used)
    associations = _full(b"ipma", struct.pack(">I", len(numbers)) + entries, flags=1)
    return _box(b"iprp", _box(b"ipco", b"".join(indices)) + associations)


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def _full(kind: bytes, payload: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, bytes([version]) + flags.to_bytes(3, "big") + payload)
