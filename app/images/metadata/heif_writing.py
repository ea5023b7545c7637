"""Writing an EXIF item into an AVIF: one entry more in each table of `meta`, its bytes behind all others.

ISO/IEC 23008-12, annex A (EXIF items); ISO/IEC 14496-12, clauses 8.11.3 (iloc), 8.11.6 (iinf), 8.11.12 (iref).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from app.images.containers.heif_items import HeifItems, read_heif_items
from app.images.containers.isobmff import heif_boxes

_HEADER_BYTES, _FULL_BOX_BYTES = 8, 4
_LOCATION_BYTES, _EXTENT_BYTES = 6, 8
_MAX_ID = 0xFFFF
_MAX_FILE_BYTES = 0x7FFFFFFF
# Offsets and lengths of 4 bytes, no base.
_LOCATION_SIZES = 0x4400


@dataclass(frozen=True, slots=True)
class _Child:
    """A box in `meta`: where its payload stood, and the payload that takes its place."""

    kind: bytes
    start: int
    end: int
    payload: bytes


def add_exif_item(body: bytes, block: bytes) -> bytes | None:
    """The AVIF with an EXIF item of this block (from its TIFF header on) that describes the primary picture.

    None where the tables are not such as an encoder of still pictures writes.
    """
    boxes = list(heif_boxes(body, 0, len(body)))
    place = next(at for at, (kind, _, _) in enumerate(boxes) if kind == b"meta")
    _, start, end = boxes[place]
    meta_at = boxes[place - 1][2] if place else 0
    found = read_heif_items(body)
    number = max(found.kinds, default=0) + 1
    if number > _MAX_ID or len(body) > _MAX_FILE_BYTES or set(found.extents) != set(found.kinds):
        return None
    children = _children(body, start, end, found=found, number=number)
    grown = _HEADER_BYTES + _FULL_BOX_BYTES + sum(_HEADER_BYTES + len(child.payload) for child in children)
    growth = meta_at + grown - end
    item = bytes(4) + block
    moves = _moves(children, meta_at, end, growth=growth)
    extents = {
        each: [(_moved(first, moves), last - first) for first, last in places] for each, places in found.extents.items()
    }
    extents[number] = [(len(body) + growth + _HEADER_BYTES, len(item))]
    payloads = [_box(each.kind, _locations(extents) if each.kind == b"iloc" else each.payload) for each in children]
    meta = _box(b"meta", body[start : start + _FULL_BOX_BYTES] + b"".join(payloads))
    return body[:meta_at] + meta + body[end:] + _box(b"mdat", item)


def _children(body: bytes, start: int, end: int, *, found: HeifItems, number: int) -> list[_Child]:
    """The boxes of `meta` with the new item in its tables; the locations are of their final length, and empty."""
    located = sum(len(places) for places in found.extents.values()) + 1
    reference = _box(b"cdsc", struct.pack(">HHH", number, 1, found.primary))
    children = []
    for kind, at, stop in heif_boxes(body, start + _FULL_BOX_BYTES, end):
        payload = body[at:stop]
        if kind == b"iinf":
            payload = _with_info(payload, number)
        elif kind == b"iloc":
            payload = bytes(8 + _LOCATION_BYTES * (len(found.extents) + 1) + _EXTENT_BYTES * located)
        elif kind == b"iref":
            is_wide = payload[0]
            payload += _box(b"cdsc", struct.pack(">IHI", number, 1, found.primary)) if is_wide else reference
        children.append(_Child(kind, at, stop, payload))
    if not any(child.kind == b"iref" for child in children):
        children.append(_Child(b"iref", end, end, bytes(_FULL_BOX_BYTES) + reference))
    return children


def _with_info(payload: bytes, number: int) -> bytes:
    wide = 4 if payload[0] else 2
    entries_at = _FULL_BOX_BYTES + wide
    count = int.from_bytes(payload[_FULL_BOX_BYTES:entries_at], "big") + 1
    info = _box(b"infe", b"\2\0\0\0" + struct.pack(">HH4sx", number, 0, b"Exif"))
    return payload[:_FULL_BOX_BYTES] + count.to_bytes(wide, "big") + payload[entries_at:] + info


def _moves(children: list[_Child], meta_at: int, meta_end: int, *, growth: int) -> list[tuple[int, int]]:
    """(old offset, by how much what stands there or behind it moves), in the order of the file."""
    moves = []
    at = meta_at + _HEADER_BYTES + _FULL_BOX_BYTES
    for child in children:
        moves.append((child.start, at + _HEADER_BYTES - child.start))
        at += _HEADER_BYTES + len(child.payload)
    return [*moves, (meta_end, growth)]


def _moved(at: int, moves: list[tuple[int, int]]) -> int:
    return at + next((by for start, by in reversed(moves) if at >= start), 0)


def _locations(extents: dict[int, list[tuple[int, int]]]) -> bytes:
    """Version 0: everything is found by its offset in the file."""
    entries = b""
    for number, places in extents.items():
        entries += struct.pack(">HHH", number, 0, len(places))
        entries += b"".join(struct.pack(">II", at, size) for at, size in places)
    return bytes(_FULL_BOX_BYTES) + struct.pack(">HH", _LOCATION_SIZES, len(extents)) + entries


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", _HEADER_BYTES + len(payload), kind) + payload
