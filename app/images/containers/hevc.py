"""HEVC: how large the pictures of a bitstream can be (ITU-T H.265, clauses 7.3.1 and 7.3.2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from app.core.exceptions import ImageCorrupt, ImageTruncated
from app.images.containers.bits import Bits
from app.images.containers.reading import PartCounter

_SEQUENCE_PARAMETERS = 33
_MAX_PARAMETER_BYTES = 512
# A third byte is put wherever two zeros could begin a start code.
_EMULATION_PREVENTION = re.compile(rb"\x00\x00\x03(?=[\x00-\x03])")
_CONFIGURATION_BYTES = 23
_GENERAL_PROFILE_BITS, _SUB_LAYER_PROFILE_BITS, _LEVEL_BITS = 88, 88, 8
_SEPARATE_PLANES = 3


def hevc_size(configuration: bytes, streams: Iterable[memoryview], parts: PartCounter) -> tuple[int, int]:
    """The largest coded width and height that an `hvcC` box, or a stream that it describes, allows.

    See ISO/IEC 14496-15, clause 8.3.3.

    Raises:
        ImageTruncated: a unit reaches past the end.
        ImageCorrupt: there are too many, or no parameters.
    """
    if len(configuration) < _CONFIGURATION_BYTES:
        raise ImageCorrupt
    length_bytes = (configuration[21] & 3) + 1
    sizes = [_picture_size(unit) for unit in _configured_units(configuration, parts) if _is_sequence_parameters(unit)]
    for stream in streams:
        sizes += [_picture_size(unit) for unit in _coded_units(stream, length_bytes, parts)]
    if not sizes:
        raise ImageCorrupt
    return max(width for width, _ in sizes), max(height for _, height in sizes)


def _configured_units(configuration: bytes, parts: PartCounter) -> Iterator[bytes]:
    at = _CONFIGURATION_BYTES
    for _ in range(configuration[at - 1]):
        count, at = int.from_bytes(configuration[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            parts.count()
            end = at + 2 + int.from_bytes(configuration[at : at + 2], "big")
            if end > len(configuration):
                raise ImageTruncated
            yield configuration[at + 2 : min(end, at + _MAX_PARAMETER_BYTES)]
            at = end


def _coded_units(stream: memoryview, length_bytes: int, parts: PartCounter) -> Iterator[memoryview]:
    """Those with sequence parameters."""
    at = 0
    while at < len(stream):
        parts.count()
        start = at + length_bytes
        at = start + int.from_bytes(stream[at:start], "big")
        if at > len(stream):
            raise ImageTruncated
        if _is_sequence_parameters(head := stream[start : min(at, start + _MAX_PARAMETER_BYTES)]):
            yield head


def _is_sequence_parameters(unit: bytes | memoryview) -> bool:
    if len(unit) < 3:
        return False
    kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
    # Layers above the base are not decoded.
    return kind == _SEQUENCE_PARAMETERS and layer == 0


def _picture_size(unit: bytes | memoryview) -> tuple[int, int]:
    bits = Bits(_EMULATION_PREVENTION.sub(b"\0\0", unit[2:]))
    bits.skip(4)
    sub_layers = bits.take(3)
    bits.skip(1 + _GENERAL_PROFILE_BITS + _LEVEL_BITS)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    bits.skip(2 * (8 - sub_layers) if sub_layers else 0)
    for has_profile, has_level in present:
        bits.skip(_SUB_LAYER_PROFILE_BITS * has_profile + _LEVEL_BITS * has_level)
    bits.golomb()
    if bits.golomb() == _SEPARATE_PLANES:
        bits.skip(1)
    return bits.golomb(), bits.golomb()
