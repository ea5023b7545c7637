"""Files made to cost, to break or to deceive: bombs, lies and cut files of every format, and what becomes of each.

The same bytes every time. `python -m tests.hostile_pictures FOLDER` writes them all, to be posted at a running service.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.heic_pictures import make_heic
from tests.icc_profiles import display_p3
from tests.images.builders import (
    box,
    full_box,
    gif,
    grey_tiff,
    ispe,
    pillow_file,
    tiff,
    webp,
    webp_canvas,
    webp_chunk,
    webp_frame,
)
from tests.images.heif_builders import Item, av1_item, av1_sequence, grid_item, heif, obu
from tests.pictures import (
    add_jpeg_segments,
    make_jpeg,
    make_png,
    make_webp,
    png_chunk,
    png_header,
    png_of,
    quadrants,
    text_bomb_png,
)

RENDERED = "rendered"
CORRUPT, TRUNCATED, UNSUPPORTED = "IMAGE_CORRUPT", "IMAGE_TRUNCATED", "IMAGE_FORMAT_UNSUPPORTED"
PIXELS, FRAMES, COMPLEX, EMPTY = (
    "IMAGE_TOO_MANY_PIXELS",
    "IMAGE_TOO_MANY_FRAMES",
    "IMAGE_TOO_COMPLEX",
    "IMAGE_EMPTY",
)
# What only a decoder can find out: it ends with one of these, soon and within its memory.
UNDECODABLE = frozenset({CORRUPT, TRUNCATED, COMPLEX})
HARMLESS = frozenset({RENDERED})


@dataclass(frozen=True, slots=True)
class HostilePicture:
    """One file, what may become of it (`RENDERED` or a code of `docs/errors.md`), and whether a decoder must say so."""

    name: str
    make: Callable[[], bytes]
    outcomes: frozenset[str]
    needs_decoder: bool = False


def hostile_pictures() -> Iterator[HostilePicture]:
    """All of them, made when their `make` is called; the largest has some three megabytes."""
    for outcome, files in _REFUSED.items():
        yield from (HostilePicture(name, make, frozenset({outcome})) for name, make in files.items())
    yield from (HostilePicture(name, make, HARMLESS) for name, make in _HARMLESS.items())
    yield from (HostilePicture(name, make, UNDECODABLE, needs_decoder=True) for name, make in _UNDECODABLE.items())


_JPEG, _PNG, _PROGRESSIVE = make_jpeg(40, 30), make_png(40, 30), make_jpeg(40, 30, progressive=True)
_LOSSY, _LOSSLESS = (b"VP8 ", make_webp(8, 8)[20:]), (b"VP8L", make_webp(8, 8, lossless=True)[20:])
_PNG_START = 33


def _many_scans(count: int) -> bytes:
    end = _PROGRESSIVE.rindex(b"\xff\xd9")
    start = _PROGRESSIVE.rindex(b"\xff\xda")
    return _PROGRESSIVE[:end] + _PROGRESSIVE[start:end] * count + _PROGRESSIVE[end:]


def _jpeg_of_size(width: int, height: int, *, content: bytes = _JPEG) -> bytes:
    at = content.index(b"\xff\xc2" if content is _PROGRESSIVE else b"\xff\xc0")
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def _apng(frames: int) -> bytes:
    control = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 40, 30, 0, 0, 1, 10, 0, 0))
    animation = png_chunk(b"acTL", struct.pack(">II", frames, 0)) + control * frames
    return _PNG[:_PNG_START] + animation + _PNG[_PNG_START:]


def _png_of_size(width: int, height: int, **header: int) -> bytes:
    rows = zlib.compress(bytes(1_000_000))
    return png_of([(b"IHDR", png_header(width, height, **header)), (b"IDAT", rows), (b"IEND", b"")])


def _animated_webp(frames: int, *, canvas: tuple[int, int] = (8, 8)) -> bytes:
    return webp(webp_canvas(*canvas, flags=2), (b"ANIM", bytes(6)), *[webp_frame((8, 8), _LOSSLESS)] * frames)


def _pretending_avif(width: int, height: int) -> bytes:
    """A real AVIF of a few hundred bytes whose every size says something else."""
    content = pillow_file("AVIF", size=(64, 64), quality=10)
    return content.replace(struct.pack(">II", 64, 64), struct.pack(">II", width, height))


def _decodable_item() -> Item:
    """A picture of 24 by 16 pixels, as an encoder wrote it."""
    content = pillow_file("AVIF")
    configuration = content.index(b"av1C")
    properties = ispe(24, 16), content[configuration - 4 : configuration + 8]
    return Item(b"av01", content[content.index(b"mdat") + 4 :], properties)


def _shared_tiles() -> bytes:
    tile = av1_item(512, 512)
    return heif(grid_item(200, 200, 512 * 200, 512 * 200, tiles=[2] * 40_000), tile)


def _exif_maze() -> bytes:
    """EXIF whose directories point at themselves and at one another."""
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005, 0x014A))
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 4) + entries + struct.pack(">I", 8)


_REFUSED: dict[str, dict[str, Callable[[], bytes]]] = {
    PIXELS: {
        "png of 30000 by 30000": lambda: _png_of_size(30_000, 30_000),
        "png with a side of 30001": lambda: _png_of_size(30_001, 1),
        "interlaced png of 51 megapixels": lambda: _png_of_size(10_200, 5_000, interlace=1),
        "jpeg of 65500 by 65500": lambda: _jpeg_of_size(65_500, 65_500),
        "progressive jpeg of 51 megapixels": lambda: _jpeg_of_size(10_200, 5_000, content=_PROGRESSIVE),
        "avif of 64 megapixels in a kilobyte": lambda: _pretending_avif(8_000, 8_000),
        "avif of 17000 by 17000": lambda: heif(av1_item(17_000, 17_000)),
        "avif of forty thousand times the same tile": _shared_tiles,
        "heic of 60 megapixels": lambda: make_heic(quadrants(64, 32)).replace(
            struct.pack(">II", 64, 32), struct.pack(">II", 10_000, 6_000)
        ),
        "lossless webp of 16383 by 16383": lambda: webp((b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFF_BFFE) + bytes(9))),
        "webp animation of 200 megapixels": lambda: _animated_webp(200, canvas=(1_000, 1_000)),
        "gif animation of 250 megapixels": lambda: gif((500, 500), [(0, 0, 8, 8)] * 1_000),
        "gif of one pixel with a huge first frame": lambda: gif((1, 1), [(0, 0, 20_000, 20_000)]),
        "tiff of 30001 rows": lambda: tiff(grey_tiff(1, 30_001), pixels=bytes(30_001)),
        "tiff of 400 megapixels": lambda: tiff(grey_tiff(20_000, 20_000, t259=[7], t279=[64]), pixels=bytes(64)),
    },
    FRAMES: {
        "gif of 100000 frames": lambda: gif((8, 8), [(0, 0, 8, 8)] * 100_000, before=b""),
        "gif of 100001 frames": lambda: gif((8, 8), [(0, 0, 8, 8)] * 100_001, before=b""),
        "webp of 5000 frames": lambda: _animated_webp(5_000),
        "apng of 5000 frames": lambda: _apng(5_000),
    },
    CORRUPT: {
        "jpeg of 20000 scans": lambda: _many_scans(20_000),
        "jpeg of 50000 tables": lambda: (
            _JPEG[:2] + b"\xff\xdb\0\x43\0" + b"\1" * 64 + b"\xff\xc4\0\2" * 50_000 + _JPEG[2:]
        ),
        "jpeg of a million markers": lambda: _JPEG[:20] + b"\xff\x01" * 1_000_000 + _JPEG[20:],
        "jpeg without a height": lambda: _jpeg_of_size(40, 0),
        "jpeg of two headers": lambda: _JPEG[:2] + _jpeg_of_size(9, 9)[2:-2] + _JPEG[2:],
        "png of two headers": lambda: _PNG[:_PNG_START] + png_chunk(b"IHDR", png_header(9, 9)) + _PNG[_PNG_START:],
        "png of 200000 chunks": lambda: _PNG[:_PNG_START] + png_chunk(b"prVt", b"") * 200_000 + _PNG[_PNG_START:],
        "apng with a frame outside": lambda: _apng(2).replace(struct.pack(">II", 40, 30) + bytes(8), b"\xff" * 16, 2),
        "webp frame larger than its canvas": lambda: webp(
            webp_canvas(8, 8, flags=2), webp_frame((16_000, 16_000), _LOSSLESS)
        ),
        "webp frame with a larger picture inside": lambda: webp(
            webp_canvas(8, 8, flags=2),
            webp_frame((8, 8), (b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFF_BFFE) + bytes(9))),
        ),
        "webp of 200000 chunks": lambda: (
            webp((b"prVt", b"")).replace(b"\x0c\0\0\0", struct.pack("<I", 1_600_004))
            + webp_chunk(b"prVt", b"") * 199_999
        ),
        "gif with a frame outside": lambda: gif((8, 8), [(0, 0, 8, 8), (60_000, 60_000, 8, 8)]),
        "avif that hides 64 megapixels": lambda: heif(av1_item(64, 64, coded=(8_000, 8_000))),
        "avif that hides a second header": lambda: heif(
            replace(av1_item(64, 64), body=av1_sequence(64, 64) + av1_sequence(8_000, 8_000))
        ),
        "avif with tiles out of sight": lambda: heif(grid_item(1, 1, 8, 8, tiles=[2]), av1_item(6_000, 6_000)),
        "avif of a million units": lambda: heif(
            replace(av1_item(8, 8), body=av1_sequence(8, 8) + obu(15, b"") * 1_000_000)
        ),
        "avif with two tables of places": lambda: heif(av1_item(8, 8), extra=full_box(b"iloc", bytes(4))),
        "avif of a million boxes": lambda: heif(av1_item(8, 8), tail=box(b"free") * 300_000),
        "heic that hides a larger picture": lambda: make_heic(quadrants(128, 64)).replace(
            struct.pack(">II", 128, 64), struct.pack(">II", 64, 32)
        ),
        "tiff without strips": lambda: tiff(grey_tiff(40, 30, t273=[])),
        "tiff of too few strips": lambda: tiff(grey_tiff(40, 30, t278=[1]), pixels=bytes(1_200)),
        "tiff of 65535 fields": lambda: b"II*\0\x08\0\0\0\xff\xff" + bytes(12 * 65_535 + 4),
        "tiff of four million strips": lambda: tiff(grey_tiff(1, 4_000_000, t278=[1])),
    },
    TRUNCATED: {
        "jpeg cut short": lambda: _JPEG[:-2],
        "png cut short": lambda: _PNG[:-1],
        "png with a chunk of four gigabytes": lambda: _PNG[:_PNG_START] + b"\xff\xff\xff\xff" + _PNG[_PNG_START + 4 :],
        "apng with missing frames": lambda: _apng(2).replace(struct.pack(">II", 2, 0), struct.pack(">II", 9, 0)),
        "webp cut short": lambda: make_webp(40, 30)[:-1],
        "gif cut short": lambda: gif((8, 8), [(0, 0, 8, 8)], tail=b""),
        "avif cut short": lambda: pillow_file("AVIF")[:-1],
        "avif with a box of sixteen exabytes": lambda: (
            pillow_file("AVIF") + struct.pack(">I4sQ", 1, b"free", 2**64 - 1)
        ),
        "heic cut short": lambda: make_heic(quadrants(64, 32))[:-1],
        "tiff cut short": lambda: tiff(grey_tiff(40, 30, t273=[2_000]), pixels=bytes(1_200)),
        "tiff of 99 megapixels in 400 bytes": lambda: tiff(
            grey_tiff(11_000, 9_000, t259=[8], t279=[400]), pixels=bytes(400)
        ),
        "tiff of 49 megapixels in one small tile": lambda: tiff(
            grey_tiff(7_000, 7_000, t259=[8], t322=[7_008], t323=[7_008], t324=[8], t325=[400], t273=[], t279=[]),
            pixels=bytes(400),
        ),
        "tiff whose directory is behind the end": lambda: b"MM\0*\xff\xff\xff\xf0" + bytes(100),
    },
    UNSUPPORTED: {
        "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "svg named as a picture by a comment": lambda: b"<!-- \xff\xd8\xff --><svg/>",
        "pdf": lambda: b"%PDF-1.7\n",
        "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n",
        "bmp": lambda: b"BM" + bytes(60),
        "mp4": lambda: box(b"ftyp", b"isom\0\0\2\0isommp42") + box(b"mdat", bytes(50)),
        "zip": lambda: b"PK\x03\x04" + bytes(60),
        "jpeg without loss": lambda: _JPEG.replace(b"\xff\xc0", b"\xff\xc3"),
        "arithmetic jpeg": lambda: _JPEG.replace(b"\xff\xc0", b"\xff\xc9"),
        "tiff of old-style jpeg": lambda: tiff(grey_tiff(40, 30, t259=[6]), pixels=bytes(1_200)),
        "raw file of a camera": lambda: tiff(grey_tiff(40, 30, t50706=[1]), pixels=bytes(1_200)),
        "avif that is a film": lambda: box(b"ftyp", b"avis\0\0\0\0avis") + box(b"moov", box(b"trak")),
        "avif whose tile is itself a grid": lambda: heif(grid_item(1, 1, 8, 8, tiles=[1])),
        "text": lambda: b"hello",
    },
    EMPTY: {"nothing": lambda: b""},
}
_HARMLESS: dict[str, Callable[[], bytes]] = {
    "png of 100 text bombs": lambda: text_bomb_png(width=40, height=30),
    "png of 2000 exploding profiles": lambda: make_png(
        40, 30, chunks=[(b"iCCP", b"p\0\0" + zlib.compress(bytes(5_000_000), 9))] * 500
    ),
    "jpeg with 250 pieces of a profile": lambda: add_jpeg_segments(
        _JPEG, [(0xE2, b"ICC_PROFILE\0" + bytes([at, 250]) + bytes(10_000)) for at in range(1, 251)]
    ),
    "jpeg with two profiles": lambda: make_jpeg(40, 30, icc=display_p3(), second_picture=_JPEG),
    "jpeg with a maze of EXIF": lambda: add_jpeg_segments(_JPEG, [(0xE1, _exif_maze())] * 100),
    "jpeg followed by a film": lambda: _JPEG + box(b"ftyp", b"mp42\0\0\0\0") + bytes(500_000),
    "jpeg of fill bytes": lambda: _JPEG[:20] + b"\xff" * 2_000_000 + _JPEG[20:],
    "webp with a maze of EXIF": lambda: webp(
        webp_canvas(8, 8, flags=8), _LOSSY, (b"EXIF", _exif_maze()), (b"XMP ", bytes(1_000_000))
    ),
    "gif of 100000 comments": lambda: gif((1, 1), [(0, 0, 1, 1)], before=b"\x21\xfe\1a\0" * 100_000),
    "tiff that bites its tail": lambda: tiff(grey_tiff(40, 30), pixels=bytes(1_200), next_page=1_208),
    "tiff with a maze of directories": lambda: tiff(
        grey_tiff(40, 30, t330=[1_208] * 50, t34665=[1_208], t700=[1_208] * 5_000), pixels=bytes(1_200)
    ),
    "avif with a thumbnail of 256 megapixels": lambda: heif(
        _decodable_item(), replace(av1_item(16_000, 16_000), references=((b"thmb", [1]),))
    ),
    "avif of four frames": lambda: pillow_file("AVIF", frames=4),
}
_UNDECODABLE: dict[str, Callable[[], bytes]] = {
    "jpeg of 99 megapixels in 700 bytes": lambda: _jpeg_of_size(11_000, 9_000),
    "jpeg of 90 scans": lambda: _many_scans(80),
    "progressive jpeg of 49 megapixels": lambda: _jpeg_of_size(7_000, 7_000, content=_PROGRESSIVE),
    "tiff of 49 megapixels in one tile of zeros": lambda: tiff(
        grey_tiff(7_000, 7_000, t259=[8], t322=[7_008], t323=[7_008], t324=[8], t325=[60_000], t273=[], t279=[]),
        pixels=zlib.compress(bytes(400_000)).ljust(60_000, b"\0"),
    ),
    "png of 99 megapixels in a kilobyte": lambda: _png_of_size(11_000, 9_000),
    "interlaced png of 49 megapixels": lambda: _png_of_size(7_000, 7_000, interlace=1),
    "16-bit png of 99 megapixels": lambda: _png_of_size(11_000, 9_000, bit_depth=16, colour_type=6),
    "gif of half a million sub-blocks": lambda: gif(
        (8, 8), [(0, 0, 8, 8)], pixels=b"\x02" + b"\1\xff" * 500_000 + b"\0"
    ),
    "lossless webp of 49 megapixels": lambda: webp(
        (b"VP8L", b"\x2f" + struct.pack("<I", 6_999 | 6_999 << 14) + bytes(9))
    ),
    "lossy webp of 99 megapixels": lambda: webp(
        (b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 11_000, 9_000) + bytes(40))
    ),
    "avif of 39 megapixels in a kilobyte": lambda: heif(av1_item(6_500, 6_000)),
}


def write_all(folder: Path) -> None:
    """Every file into a folder, named after what it is and what may become of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in hostile_pictures():
        name = f"{picture.name} - {' or '.join(sorted(picture.outcomes))}".replace(" ", "_")
        (folder / name).write_bytes(picture.make())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
