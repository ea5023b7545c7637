"""Containers built by hand, part by part, whatever they say: the same arguments always give the same bytes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from PIL import Image

from tests.pictures import photo

TIFF_SHORT, TIFF_LONG = 3, 4
GIF_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
GIF_CONTROL = b"\x21\xf9\x04\x04\x0a\0\0\0"
# One pixel of colour 0: clear, colour, end, in codes of 3 bits.
GIF_PIXEL = b"\x02\x02\x44\x01\0"


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A RIFF container with these chunks."""
    body = b"WEBP" + b"".join(webp_chunk(*chunk) for chunk in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunk(kind: bytes, payload: bytes) -> bytes:
    """One chunk with its padding."""
    return kind + struct.pack("<I", len(payload)) + payload + bytes(len(payload) % 2)


def webp_canvas(width: int, height: int, *, flags: int = 0) -> tuple[bytes, bytes]:
    """A VP8X chunk; flags as in RFC 9649, section 2.7.1.1 (2: animation, 16: alpha)."""
    return b"VP8X", bytes([flags, 0, 0, 0]) + _int24(width - 1) + _int24(height - 1)


def webp_frame(
    size: tuple[int, int], *chunks: tuple[bytes, bytes], at: tuple[int, int] = (0, 0)
) -> tuple[bytes, bytes]:
    """An ANMF chunk of a frame of this size at an even place, with these chunks inside."""
    place = _int24(at[0] // 2) + _int24(at[1] // 2) + _int24(size[0] - 1) + _int24(size[1] - 1)
    return b"ANMF", place + _int24(100) + b"\0" + b"".join(webp_chunk(*chunk) for chunk in chunks)


def gif(
    canvas: tuple[int, int],
    frames: Iterable[tuple[int, int, int, int]],
    *,
    pixels: bytes = GIF_PIXEL,
    before: bytes = GIF_CONTROL,
    tail: bytes = b";",
) -> bytes:
    """A GIF of frames at (left, top, width, height), each with the same coded `pixels` behind the same blocks."""
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x80, 0, 0) + b"\xff\0\0\0\0\xff" + GIF_LOOP
    images = (before + b"," + struct.pack("<HHHHB", *frame, 0) + pixels for frame in frames)
    return head + b"".join(images) + tail


def pillow_file(image_format: str, *, size: tuple[int, int] = (24, 16), mode: str = "RGB", **how: Any) -> bytes:
    """A picture as Pillow writes it; `frames` makes an animation."""
    frames = [photo(*size, mode=mode, seed=at) for at in range(how.pop("frames", 1))]
    if len(frames) > 1:
        how |= {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0}
    return encoded(frames[0], image_format, **how)


def encoded(picture: Image.Image, image_format: str, **how: Any) -> bytes:
    """This picture as Pillow writes it."""
    target = io.BytesIO()
    picture.save(target, image_format, **how)
    return target.getvalue()


def tiff(
    fields: Iterable[tuple[int, int, Sequence[int]]], *, order: str = "<", pixels: bytes = b"", next_page: int = 0
) -> bytes:
    """A TIFF of one directory with (tag, type, values) fields of `TIFF_SHORT` or `TIFF_LONG`; its pixels lie at 8."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(pixels) + len(pixels) % 2)
    entries = sorted(fields)
    start = 8 + len(pixels) + len(pixels) % 2
    outside = start + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(f"{order}H", len(entries)), b""
    for tag, kind, numbers in entries:
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == TIFF_SHORT else 'I'}", *numbers)
        directory += struct.pack(f"{order}HHI", tag, kind, len(numbers))
        directory += packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack(f"{order}I", outside + len(values))
        values += packed if len(packed) > 4 else b""
    return head + pixels + bytes(len(pixels) % 2) + directory + struct.pack(f"{order}I", next_page) + values


def grey_tiff(width: int, height: int, **replaced: Sequence[int]) -> list[tuple[int, int, Sequence[int]]]:
    """The fields of a grey 8-bit TIFF in one strip; keywords `t<tag>` replace or add long fields."""
    fields: dict[int, tuple[int, Sequence[int]]] = {
        256: (TIFF_LONG, [width]),
        257: (TIFF_LONG, [height]),
        258: (TIFF_SHORT, [8]),
        259: (TIFF_SHORT, [1]),
        262: (TIFF_SHORT, [1]),
        273: (TIFF_LONG, [8]),
        277: (TIFF_SHORT, [1]),
        278: (TIFF_LONG, [height]),
        279: (TIFF_LONG, [width * height]),
    }
    fields |= {int(name[1:]): (TIFF_LONG, values) for name, values in replaced.items()}
    return [(tag, kind, values) for tag, (kind, values) in fields.items() if values]


def box(kind: bytes, payload: bytes = b"", *, size: int | None = None) -> bytes:
    """A box of ISO media files; `size` is what it claims."""
    return struct.pack(">I", len(payload) + 8 if size is None else size) + kind + payload


def full_box(kind: bytes, payload: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, bytes([version]) + flags.to_bytes(3, "big") + payload)


def ispe(width: int, height: int) -> bytes:
    """The property that announces a size."""
    return full_box(b"ispe", struct.pack(">II", width, height))


def _int24(value: int) -> bytes:
    return value.to_bytes(3, "little")
