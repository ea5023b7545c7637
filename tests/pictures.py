"""Pictures for tests, made on the spot: photo-like pixels in every coding, with everything that cameras hang on them.

    content = make_jpeg(800, 600, orientation=6, gps=True)
    content = make_png(300, 200, picture=photo(300, 200, mode="LA"))

The same arguments always give the same bytes.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

# Planted in metadata; nothing that is stored may hold it.
CANARY = "Canary7f3aSecret"
CORNERS = {
    "top left": (220, 30, 30),
    "top right": (30, 200, 40),
    "bottom left": (30, 40, 220),
    "bottom right": (240, 220, 60),
}

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_UNDO_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
_EXIF_DESCRIPTION, _EXIF_ORIENTATION, _EXIF_GPS = 0x010E, 0x0112, 0x8825


def photo(width: int, height: int, *, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Gradients, a few soft blobs and sensor noise: compresses as photos do. `mode` is Pillow's."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    y, x = y / max(height, 1), x / max(width, 1)
    pixels = np.stack([200 * x + 30, 180 * y + 40, 200 - 120 * x * y], axis=-1)
    for _ in range(6):
        centre_x, centre_y, radius = random.random(), random.random(), 0.05 + 0.2 * random.random()
        blob = np.exp(-(((x - centre_x) ** 2 + (y - centre_y) ** 2) / radius**2))
        pixels += blob[..., None] * random.uniform(-90, 90, 3)
    pixels += random.normal(0, 4, pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    if mode in {"RGBA", "LA"}:
        alpha = np.clip(255 * (1.4 - 1.6 * x), 0, 255).astype(np.uint8)
        image = image.convert(mode.removesuffix("A") if mode == "LA" else "RGB")
        image.putalpha(Image.fromarray(alpha))
        return image
    return image.convert(mode)


def quadrants(width: int, height: int, *, orientation: int = 1, mode: str = "RGB") -> Image.Image:
    """Four coloured quarters (`CORNERS`), stored so that applying the EXIF orientation shows them upright.

    `width` and `height` are those of the upright picture, in pixels.
    """
    upright = Image.new("RGB", (width, height))
    boxes = {"top left": (0, 0), "top right": (width // 2, 0)}
    boxes |= {"bottom left": (0, height // 2), "bottom right": (width // 2, height // 2)}
    for corner, place in boxes.items():
        upright.paste(CORNERS[corner], (*place, width, height))
    stored = upright.transpose(_UNDO_ORIENTATION[orientation]) if orientation in _UNDO_ORIENTATION else upright
    return stored.convert(mode)


def exif(*, orientation: int | None = None, gps: bool = False, text: str | None = None) -> bytes:
    """EXIF from its TIFF header on, without the `Exif\\0\\0` of JPEG."""
    tags = Image.Exif()
    if orientation is not None:
        tags[_EXIF_ORIENTATION] = orientation
    if text is not None:
        tags[_EXIF_DESCRIPTION] = text
    if gps:
        tags.get_ifd(_EXIF_GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0), 27: CANARY})
    return tags.tobytes().removeprefix(b"Exif\0\0")


def make_jpeg(
    width: int,
    height: int,
    *,
    picture: Image.Image | None = None,
    mode: str = "RGB",
    seed: int = 0,
    quality: int = 90,
    progressive: bool = False,
    orientation: int | None = None,
    gps: bool = False,
    text: str | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    iptc: bytes | None = None,
    comment: bytes | None = None,
    second_picture: bytes | None = None,
    trailing: bytes = b"",
) -> bytes:
    """A JPEG; `second_picture` makes it an MPO-like file of two, `trailing` follows the end of the last picture."""
    image = picture or photo(width, height, mode=mode, seed=seed)
    segments = (
        [(0xE1, b"Exif\0\0" + exif(orientation=orientation, gps=gps, text=text))]
        if _any(orientation, gps, text)
        else []
    )
    if xmp is not None:
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
    if iptc is not None:
        segments.append((0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc))
    if comment is not None:
        segments.append((0xFE, comment))
    content = _encode(image, "JPEG", quality=quality, progressive=progressive, **({"icc_profile": icc} if icc else {}))
    return add_jpeg_segments(content, segments) + (second_picture or b"") + trailing


def make_png(
    width: int,
    height: int,
    *,
    picture: Image.Image | None = None,
    mode: str = "RGB",
    seed: int = 0,
    interlaced: bool = False,
    orientation: int | None = None,
    gps: bool = False,
    text: str | None = None,
    icc: bytes | None = None,
    chunks: Iterable[tuple[bytes, bytes]] = (),
    frames: int = 1,
    trailing: bytes = b"",
) -> bytes:
    """A PNG (an APNG of `frames` frames); `chunks` are further (type, payload) pairs, put behind the header."""
    image = picture or photo(width, height, mode=mode, seed=seed)
    options: dict[str, Any] = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
    if frames > 1:
        others = [photo(*image.size, mode=image.mode, seed=seed + 1 + at) for at in range(frames - 1)]
        options |= {"save_all": True, "append_images": others, "duration": 100}
    content = _interlaced_png(image) if interlaced else _encode(image, "PNG", **options)
    extra = list(chunks)
    if icc is not None:
        extra.append((b"iCCP", b"profile\0\0" + zlib.compress(icc)))
    if _any(orientation, gps, text):
        extra.append((b"eXIf", exif(orientation=orientation, gps=gps, text=text)))
    return add_png_chunks(content, extra) + trailing


def make_webp(
    width: int,
    height: int,
    *,
    picture: Image.Image | None = None,
    mode: str = "RGB",
    seed: int = 0,
    quality: int = 80,
    lossless: bool = False,
    orientation: int | None = None,
    gps: bool = False,
    text: str | None = None,
    icc: bytes | None = None,
    xmp: bytes | None = None,
    chunks: Iterable[tuple[bytes, bytes]] = (),
    frames: int = 1,
    trailing: bytes = b"",
) -> bytes:
    """A WebP, animated when it has more `frames` than one; `chunks` follow the picture's own."""
    image = picture or photo(width, height, mode=mode, seed=seed)
    options: dict[str, Any] = {"quality": quality, "lossless": lossless}
    if frames > 1:
        others = [photo(*image.size, mode=image.mode, seed=seed + 1 + at) for at in range(frames - 1)]
        options |= {"save_all": True, "append_images": others, "duration": 100}
    if icc is not None:
        options["icc_profile"] = icc
    if _any(orientation, gps, text):
        options["exif"] = b"Exif\0\0" + exif(orientation=orientation, gps=gps, text=text)
    if xmp is not None:
        options["xmp"] = xmp
    return add_webp_chunks(_encode(image, "WEBP", **options), chunks) + trailing


def make_png16(samples: np.ndarray[Any, np.dtype[np.uint16]]) -> bytes:
    """A 16-bit PNG of samples shaped (height, width, bands); 1, 2, 3 or 4 bands as grey, LA, RGB, RGBA."""
    height, width, bands = samples.shape
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 2: 4, 3: 2, 4: 6}[bands], 0, 0, 0)
    return png_of([(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")])


def png_header(width: int, height: int, *, bit_depth: int = 8, colour_type: int = 2, interlace: int = 0) -> bytes:
    """The payload of an IHDR chunk."""
    return struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, interlace)


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    """One PNG chunk with its length and CRC."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png_of(chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A PNG of exactly these chunks."""
    return PNG_SIGNATURE + b"".join(png_chunk(kind, payload) for kind, payload in chunks)


def add_png_chunks(content: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The PNG with further chunks right behind its header."""
    header_end = len(PNG_SIGNATURE) + 25
    return content[:header_end] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[header_end:]


def add_jpeg_segments(content: bytes, segments: Iterable[tuple[int, bytes]]) -> bytes:
    """The JPEG with further (marker, payload) segments right behind its start."""
    added = b"".join(struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload for marker, payload in segments)
    return content[:2] + added + content[2:]


def add_webp_chunks(content: bytes, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The WebP with further chunks at its end, and the RIFF size that fits."""
    body = content[8:] + b"".join(
        kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2) for kind, payload in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def text_bomb_png(*, width: int = 8, height: int = 8, chunks: int = 100, megabytes_each: int = 8) -> bytes:
    """A small PNG whose compressed text chunks unpack to `chunks` × `megabytes_each` MB."""
    packed = b"Comment\0\0" + zlib.compress(bytes(megabytes_each * 1_000_000), 9)
    return make_png(width, height, chunks=[(b"zTXt", packed)] * chunks)


def decode(content: bytes) -> Image.Image:
    """The picture as Pillow, an independent decoder, sees it; loaded, first frame."""
    image = Image.open(io.BytesIO(content), formats=["JPEG", "PNG", "WEBP", "AVIF"])
    image.load()
    return image


def pixels_of(content: bytes, *, mode: str = "RGB") -> np.ndarray[Any, np.dtype[np.float64]]:
    """The pixels as Pillow decodes them, shaped (height, width, bands), from 0 to 255."""
    pixels = np.asarray(decode(content).convert(mode), dtype=np.float64)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _any(orientation: int | None, gps: bool, text: str | None) -> bool:
    return orientation is not None or gps or text is not None


def _encode(image: Image.Image, image_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, image_format, **options)
    return target.getvalue()


def _interlaced_png(image: Image.Image) -> bytes:
    """Pillow does not write Adam7; libvips does."""
    import pyvips

    return bytes(pyvips.Image.new_from_array(np.asarray(image)).pngsave_buffer(interlace=True))
