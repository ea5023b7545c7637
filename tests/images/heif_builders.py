"""AVIF files built by hand: items, properties and coded bytes that say whatever they are told to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.heic_pictures import make_heic
from tests.images.builders import box, full_box, ispe
from tests.pictures import quadrants

HEIC = b"heic\0\0\0\0mif1heic"
AV1C = box(b"av1C", b"\x81\x00\x0c\x00")
ALPHA = full_box(b"auxC", b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its type, its bytes, its properties as boxes, and what it refers to as (type, numbers from 1).

    The bytes of an inline item lie in `meta`, as those of grids often do.
    """

    kind: bytes
    body: bytes
    properties: Sequence[bytes] = ()
    references: Sequence[tuple[bytes, Sequence[int]]] = field(default_factory=tuple)
    is_inline: bool = False


def heif(
    *items: Item, primary: int = 1, brands: bytes = b"avif\0\0\0\0avifmif1", extra: bytes = b"", tail: bytes = b""
) -> bytes:
    """A file of these items, numbered from 1; `extra` is put into `meta`, `tail` follows the last box."""
    known = list(dict.fromkeys(each for item in items for each in item.properties))
    infos = b"".join(
        full_box(b"infe", struct.pack(">HH4sx", number, 0, item.kind), version=2)
        for number, item in enumerate(items, 1)
    )
    parts = full_box(b"hdlr", bytes(4) + b"pict" + bytes(13)) + full_box(b"pitm", struct.pack(">H", primary))
    parts += full_box(b"iinf", struct.pack(">H", len(items)) + infos)
    links = [(number, *each) for number, item in enumerate(items, 1) for each in item.references]
    if links:
        parts += full_box(
            b"iref",
            b"".join(box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to)) for number, kind, to in links),
        )
    used = b"".join(
        struct.pack(">HB", number, len(item.properties)) + bytes(known.index(each) + 1 for each in item.properties)
        for number, item in enumerate(items, 1)
    )
    parts += box(b"iprp", box(b"ipco", b"".join(known)) + full_box(b"ipma", struct.pack(">I", len(items)) + used))
    inline = b"".join(item.body for item in items if item.is_inline)
    parts += extra + (box(b"idat", inline) if inline else b"")
    head = box(b"ftyp", brands)
    offsets = {True: 0, False: len(head) + 12 + len(parts) + 16 + 16 * len(items) + 8}
    locations = struct.pack(">HH", 0x4400, len(items))
    for number, item in enumerate(items, 1):
        place = offsets[item.is_inline], len(item.body)
        locations += struct.pack(">HHHHII", number, int(item.is_inline), 0, 1, *place)
        offsets[item.is_inline] += len(item.body)
    meta = full_box(b"meta", parts + full_box(b"iloc", locations, version=1))
    return head + meta + box(b"mdat", b"".join(item.body for item in items if not item.is_inline)) + tail


def av1_item(
    width: int, height: int, *, coded: tuple[int, int] | None = None, properties: Sequence[bytes] = ()
) -> Item:
    """A coded picture that announces one size, and another inside its bitstream; nothing in it can be decoded."""
    return Item(
        b"av01", av1_sequence(*(coded or (width, height))) + b"\x32\x00", (ispe(width, height), AV1C, *properties)
    )


def grid_item(rows: int, columns: int, width: int, height: int, *, tiles: Sequence[int]) -> Item:
    """A picture put together from tiles (ISO/IEC 23008-12, clause 6.6.2.3)."""
    body = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, width, height)
    return Item(b"grid", body, (ispe(width, height),), ((b"dimg", tiles),))


def av1_sequence(width: int, height: int) -> bytes:
    """A sequence header of a still picture (AV1, section 5.5), up to the sizes and some more."""
    bits = "000" + "1" + "1" + "00000" + f"{15:04b}{15:04b}{width - 1:016b}{height - 1:016b}" + "0" * 40
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return obu(1, body)


def heic_properties(width: int, height: int) -> tuple[bytes, bytes]:
    """Size and parameters of a phone photo of this size, in multiples of 32 pixels."""
    content = make_heic(quadrants(width, height))
    at = content.index(b"hvcC") - 4
    return ispe(width, height), content[at : at + int.from_bytes(content[at : at + 4], "big")]


def heic_parameters(width: int, height: int) -> bytes:
    """The sequence parameters of such a photo, as a unit of its coded bytes (ITU-T H.265, clause 7.3.2.2)."""
    properties = heic_properties(width, height)[1]
    at = properties.index(b"\x42\x01")
    size = int.from_bytes(properties[at - 2 : at], "big")
    return struct.pack(">I", size) + properties[at : at + size]


def obu(kind: int, body: bytes) -> bytes:
    """One open bitstream unit of at most 127 bytes, with its size."""
    return bytes([kind << 3 | 2, len(body)]) + body
