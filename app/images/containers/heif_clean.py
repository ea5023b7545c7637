"""AVIF: the same coded pixels in a new file that has no room for anything else."""

from __future__ import annotations

from app.images.containers.av1 import PICTURE_OBUS, av1_obus
from app.images.containers.heif_items import HeifProperty
from app.images.containers.heif_picture import ALPHA_NAMES, AV1, read_heif_picture
from app.images.containers.heif_writing import write_heif
from app.images.containers.reading import PartCounter

_ROTATION, _COLOURS = b"irot", b"colr"
# They change nothing about how pixels look; pasp is ignored by all browsers.
_NEUTRAL = frozenset({b"ispe", b"pixi", b"auxC", b"pasp"})
_SIZE_BYTES, _CONFIGURATION_BYTES = 12, 4
_HIGH_BIT_DEPTH = 0x40
# Primaries and transfer of sRGB, or not said (ITU-T H.273, tables 2 and 3; BT.709 and BT.601 share the curve).
_SRGB_PRIMARIES, _SRGB_TRANSFERS = frozenset({1, 2}), frozenset({1, 2, 6, 13})


def is_plain_avif(content: bytes) -> bool:
    """Whether the coded pixels are the picture to be seen: not turned, mirrored, cropped, deep or of other colours.

    The content must have passed `read_structure`.
    """
    picture = read_heif_picture(content, AV1)
    shown = [picture.items.primary, *picture.tiles[:1]]
    return all(_is_plain(content, each) for item in shown for each in picture.items.properties.get(item, ()))


def clean_avif(content: bytes) -> bytes:
    """The picture and its alpha plane, as coded. See `app.images.cleanup.clean_copy`."""
    picture = read_heif_picture(content, AV1)
    return write_heif(content, picture, property_of=_clean_property, stream_of=_clean_stream)


def _is_plain(content: bytes, each: HeifProperty) -> bool:
    payload = content[each.start : each.end]
    if each.kind == b"av1C":
        return not payload[2] & _HIGH_BIT_DEPTH
    if each.kind == _ROTATION:
        return payload[0] & 3 == 0
    if each.kind != _COLOURS:
        return each.kind in _NEUTRAL
    primaries, transfer = (int.from_bytes(payload[at : at + 2], "big") for at in (4, 6))
    return payload.startswith(b"nclx") and primaries in _SRGB_PRIMARIES and transfer in _SRGB_TRANSFERS


def _clean_property(content: bytes, each: HeifProperty) -> bytes | None:
    payload = content[each.start : each.end]
    if each.kind == b"ispe":
        return bytes(4) + payload[4:_SIZE_BYTES]
    if each.kind == b"pixi":
        return bytes(4) + payload[4 : 5 + payload[4]]
    if each.kind == b"av1C":
        # What may follow is a copy of the stream's own sequence header.
        return payload[:_CONFIGURATION_BYTES]
    if each.kind == b"auxC":
        return next((bytes(4) + name for name in ALPHA_NAMES if payload.startswith(name, 4)), None)
    if each.kind == _COLOURS and payload.startswith(b"nclx"):
        return payload[:10] + bytes([payload[10] & 0x80])
    return None


def _clean_stream(stream: memoryview) -> bytes:
    """Without padding, time codes and notes, in which anything may stand."""
    return b"".join(
        stream[start:end] for kind, start, _, end in av1_obus(stream, PartCounter()) if kind in PICTURE_OBUS
    )
