"""HEIC pictures for tests, written without an encoder: HEVC whose blocks hold their samples as they are (PCM).

ITU-T H.265, clauses 7.3 (syntax) and 9.3 (arithmetic coding); ISO/IEC 23008-12 and 14496-12 (boxes).
"""

from __future__ import annotations

import struct

import numpy as np
from PIL import Image

from tests.pictures import exif

BLOCK = 32
# rangeTabLps (table 9-52) for the highest quarter of the range, states 0 to 11: one more state with every block.
_LEAST_PROBABLE_RANGE = (240, 227, 216, 205, 195, 185, 175, 166, 158, 150, 142, 135)
_VPS, _SPS, _PPS, _IDR = 32, 33, 34, 19


def make_heic(
    picture: Image.Image, *, quarter_turns: int = 0, orientation: int | None = None, icc: bytes | None = None
) -> bytes:
    """A HEIC of this RGB picture; sides are multiples of 32 pixels, at most 12 blocks in all.

    `quarter_turns` are counter-clockwise, as the container asks of its reader (irot); `orientation` is EXIF's, which
    readers must not apply on top.
    """
    width, height = picture.size
    parameter_sets = [_nal(_VPS, _vps()), _nal(_SPS, _sps(width, height)), _nal(_PPS, _pps())]
    coded = _length_prefixed(_nal(_IDR, _slice(picture)))
    items = [(b"hvc1", coded)]
    if orientation is not None:
        items.append((b"Exif", bytes(4) + exif(orientation=orientation)))
    properties = [_hvcc(parameter_sets), _full(b"ispe", struct.pack(">II", width, height)), _SRGB]
    if icc is not None:
        properties.append(_box(b"colr", b"prof" + icc))
    if quarter_turns:
        properties.append(_box(b"irot", bytes([quarter_turns])))
    return _container(items, properties)


# --- HEVC ---


class _Bits:
    """Bits, most significant first."""

    def __init__(self) -> None:
        self.text = ""

    def put(self, value: int, count: int = 1) -> _Bits:
        self.text += f"{value:0{count}b}"
        return self

    def golomb(self, *values: int) -> _Bits:
        for value in values:
            digits = f"{value + 1:b}"
            self.text += "0" * (len(digits) - 1) + digits
        return self

    def aligned(self) -> _Bits:
        self.text += "0" * (-len(self.text) % 8)
        return self

    def ended(self) -> bytes:
        """With the stop bit and zeros up to a whole byte."""
        return self.put(1).aligned().whole()

    def whole(self) -> bytes:
        return int(self.text, 2).to_bytes(len(self.text) // 8, "big")


def _profile(bits: _Bits) -> _Bits:
    """Main Still Picture, level 3."""
    return bits.put(3, 8).put(0x70000000, 32).put(0b1011, 4).put(0, 44).put(90, 8)


def _vps() -> bytes:
    bits = _Bits().put(0, 4).put(0b11, 2).put(0, 6).put(0, 3).put(1).put(0xFFFF, 16)
    return _profile(bits).put(1).golomb(0, 0, 0).put(0, 6).golomb(0).put(0).put(0).ended()


def _sps(width: int, height: int) -> bytes:
    bits = _profile(_Bits().put(0, 4).put(0, 3).put(1)).golomb(0, 1, width, height).put(0).golomb(0, 0, 0)
    # One size of coding block, 32; transforms of 4 to 32, which nobody uses.
    bits.put(1).golomb(0, 0, 0).golomb(2, 0, 0, 3, 0, 0)
    # No scaling lists, asymmetric partitions or SAO; PCM of 8 bits in blocks of 32, without loop filter.
    bits.put(0b000, 3).put(1).put(7, 4).put(7, 4).golomb(2, 0).put(1)
    return bits.golomb(0).put(0b00000, 5).ended()


def _pps() -> bytes:
    bits = _Bits().golomb(0, 0).put(0, 7).golomb(0, 0, 0).put(0, 3).golomb(0, 0).put(0, 7)
    # Deblocking is controlled, not overridden, and off.
    return bits.put(1).put(0).put(1).put(0, 2).golomb(0).put(0, 2).ended()


def _slice(picture: Image.Image) -> bytes:
    header = _Bits().put(1).put(0).golomb(0, 2, 0).put(1).aligned().whole()
    planes = [np.asarray(plane) for plane in picture.convert("YCbCr").split()]
    luma, chroma = planes[0], [plane.reshape(plane.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for plane in planes[1:]]
    coded = b""
    rows, columns = luma.shape[0] // BLOCK, luma.shape[1] // BLOCK
    for at in range(rows * columns):
        y, x = at // columns * BLOCK, at % columns * BLOCK
        coded += _pcm_follows(at)
        coded += luma[y : y + BLOCK, x : x + BLOCK].tobytes()
        for plane in chroma:
            coded += plane[y // 2 : (y + BLOCK) // 2, x // 2 : (x + BLOCK) // 2].round().astype(np.uint8).tobytes()
    return header + coded + _terminated(510)


def _pcm_follows(block: int) -> bytes:
    """Arithmetic code for: the slice goes on (but before the first block), the block is not divided, it is PCM."""
    start = 510 if block == 0 else 508
    return _terminated(start - _LEAST_PROBABLE_RANGE[block])


def _terminated(code_range: int) -> bytes:
    """The code that ends with a terminating bin of 1, of an encoder that stands at 0 with this range (9.3.4.3.5)."""
    return _Bits().put((code_range - 2) | 1, 9).aligned().whole()


def _nal(kind: int, payload: bytes) -> bytes:
    """With a third byte wherever two zeros could begin a start code."""
    escaped, zeros = bytearray(), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes([kind << 1, 1]) + bytes(escaped)


# --- boxes ---


def _container(items: list[tuple[bytes, bytes]], properties: list[bytes]) -> bytes:
    entries = b"".join(
        _full(b"infe", struct.pack(">HH4sx", at, 0, kind), version=2) for at, (kind, _) in enumerate(items, 1)
    )
    used = b"".join(bytes([0x80 | at]) for at in range(1, len(properties) + 1))
    parts = _full(b"hdlr", bytes(4) + b"pict" + bytes(13)) + _full(b"pitm", struct.pack(">H", 1))
    parts += _full(b"iinf", struct.pack(">H", len(items)) + entries)
    if len(items) == 2:
        parts += _full(b"iref", _box(b"cdsc", struct.pack(">HHH", 2, 1, 1)))
    associations = struct.pack(">IHB", 1, 1, len(properties)) + used
    parts += _box(b"iprp", _box(b"ipco", b"".join(properties)) + _full(b"ipma", associations))
    head = _box(b"ftyp", b"heic\0\0\0\0mif1heic")
    location_bytes = 12 + 4 + 14 * len(items)
    offset = len(head) + 12 + len(parts) + location_bytes + 8
    location = struct.pack(">HH", 0x4400, len(items))
    for at, (_, payload) in enumerate(items, 1):
        location += struct.pack(">HHHII", at, 0, 1, offset, len(payload))
        offset += len(payload)
    meta = _full(b"meta", parts + _full(b"iloc", location))
    return head + meta + _box(b"mdat", b"".join(payload for _, payload in items))


def _hvcc(parameter_sets: list[bytes]) -> bytes:
    configuration = bytes([1, 3]) + struct.pack(">I", 0x70000000) + b"\xb0" + bytes(5) + bytes([90])
    configuration += b"\xf0\x00\xfc\xfd\xf8\xf8\0\0\x0f" + bytes([len(parameter_sets)])
    for nal in parameter_sets:
        configuration += bytes([0x80 | nal[0] >> 1]) + struct.pack(">HH", 1, len(nal)) + nal
    return _box(b"hvcC", configuration)


def _length_prefixed(nal: bytes) -> bytes:
    return struct.pack(">I", len(nal)) + nal


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload) + 8) + kind + payload


def _full(kind: bytes, payload: bytes, *, version: int = 0) -> bytes:
    return _box(kind, bytes([version, 0, 0, 0]) + payload)


# Colours as in JPEG: primaries and curve of sRGB, matrix of BT.601, full range.
_SRGB = _box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80))
