"""Small valid pictures in every accepted format and coding, to be posted as they are, cut short and mutated."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyvips
from PIL import Image

from tests.heic_pictures import make_heic
from tests.icc_profiles import adobe_rgb, display_p3
from tests.pictures import exif, make_jpeg, make_png, make_png16, make_webp, photo

WIDTH, HEIGHT = 72, 50
TIFF_COMPRESSIONS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")


def valid_pictures(seed: int = 0) -> dict[str, bytes]:
    """Pictures by name; the name begins with the format. Another seed gives other pixels."""
    return dict([*_jpegs(seed), *_pngs(seed), *_webps(seed), *_gifs(seed), *_avifs(seed), *_tiffs(seed), *_heics(seed)])


def _jpegs(seed: int) -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "L", "CMYK"):
        yield f"jpeg-{mode}", make_jpeg(WIDTH, HEIGHT, mode=mode, seed=seed)
    for sampling in (0, 1, 2):
        yield f"jpeg-sampling-{sampling}", _saved(photo(WIDTH, HEIGHT, seed=seed), "JPEG", subsampling=sampling)
    yield "jpeg-progressive", make_jpeg(WIDTH, HEIGHT, progressive=True, seed=seed)
    yield "jpeg-restarts", _saved(photo(WIDTH, HEIGHT, seed=seed), "JPEG", restart_marker_rows=1)
    yield "jpeg-exif", make_jpeg(WIDTH, HEIGHT, orientation=6, gps=True, text="a text", seed=seed)
    yield "jpeg-p3", make_jpeg(WIDTH, HEIGHT, icc=display_p3(), seed=seed)
    yield "jpeg-adobe-rgb", make_jpeg(WIDTH, HEIGHT, icc=adobe_rgb(), comment=b"a comment", seed=seed)
    second = make_jpeg(WIDTH, HEIGHT, seed=seed + 1)
    yield "jpeg-mpo", make_jpeg(WIDTH, HEIGHT, second_picture=second, seed=seed)
    yield "jpeg-motion", make_jpeg(WIDTH, HEIGHT, trailing=b"\0\0\0\x18ftypmp42" + b"v" * 900, seed=seed)


def _pngs(seed: int) -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        yield f"png-{mode}", _saved(photo(WIDTH, HEIGHT, seed=seed).convert(mode), "PNG")
    for bits in (1, 2, 4):
        palette = photo(WIDTH, HEIGHT, seed=seed).quantize(2**bits)
        yield f"png-palette-{bits}", _saved(palette, "PNG", bits=bits)
    transparent = photo(WIDTH, HEIGHT, seed=seed).quantize(16)
    yield "png-palette-transparent", _saved(transparent, "PNG", transparency=3)
    samples = np.random.default_rng(seed).integers(0, 65536, (HEIGHT, WIDTH, 4), dtype=np.uint16)
    for bands in (1, 2, 3, 4):
        yield f"png-16-{bands}", make_png16(samples[:, :, :bands])
    yield "png-interlaced", make_png(WIDTH, HEIGHT, interlaced=True, seed=seed)
    yield "png-exif", make_png(WIDTH, HEIGHT, orientation=8, gps=True, text="a text", icc=display_p3(), seed=seed)
    yield "png-animated", make_png(WIDTH, HEIGHT, frames=3, seed=seed)


def _webps(seed: int) -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA"):
        for is_lossless in (False, True):
            yield f"webp-{mode}-{is_lossless}", make_webp(WIDTH, HEIGHT, mode=mode, lossless=is_lossless, seed=seed)
    yield "webp-exif", make_webp(WIDTH, HEIGHT, orientation=3, text="a text", icc=display_p3(), seed=seed)
    yield "webp-animated", make_webp(WIDTH, HEIGHT, frames=3, seed=seed)


def _gifs(seed: int) -> Iterator[tuple[str, bytes]]:
    frames = [photo(WIDTH, HEIGHT, seed=seed + number).quantize(32) for number in range(3)]
    yield "gif-still", _saved(frames[0], "GIF")
    yield "gif-interlaced", _saved(frames[0], "GIF", interlace=1)
    yield "gif-transparent", _saved(frames[0], "GIF", transparency=1)
    for disposal in (1, 2, 3):
        more = {"save_all": True, "append_images": frames[1:], "duration": 50, "loop": 0, "disposal": disposal}
        yield f"gif-animated-{disposal}", _saved(frames[0], "GIF", **more)


def _avifs(seed: int) -> Iterator[tuple[str, bytes]]:
    for mode in ("RGB", "RGBA", "L"):
        yield f"avif-{mode}", _saved(photo(WIDTH, HEIGHT, mode=mode, seed=seed), "AVIF", speed=10)
    for sampling in ("4:4:4", "4:2:2", "4:0:0"):
        picture = photo(WIDTH, HEIGHT, seed=seed)
        yield f"avif-{sampling}", _saved(picture, "AVIF", speed=10, subsampling=sampling, quality=70)
    yield "avif-exif", _saved(photo(WIDTH, HEIGHT, seed=seed), "AVIF", speed=10, exif=exif(orientation=6, text="a"))
    yield "avif-p3", _saved(photo(WIDTH, HEIGHT, seed=seed), "AVIF", speed=10, icc_profile=display_p3())
    deep = _vips(photo(WIDTH, HEIGHT, seed=seed))
    yield "avif-10-bit", deep.heifsave_buffer(compression="av1", bitdepth=10, effort=0)
    yield "avif-12-bit", deep.heifsave_buffer(compression="av1", bitdepth=12, effort=0)


def _tiffs(seed: int) -> Iterator[tuple[str, bytes]]:
    for compression in TIFF_COMPRESSIONS:
        yield f"tiff-{compression}", _saved(photo(WIDTH, HEIGHT, seed=seed), "TIFF", compression=compression)
    for mode in ("L", "LA", "RGBA", "CMYK", "P", "1", "I;16"):
        picture = photo(WIDTH, HEIGHT, seed=seed).convert("L" if mode in {"I;16", "LA"} else mode)
        yield f"tiff-{mode}", _saved(picture.convert(mode), "TIFF")
    whole = _vips(photo(WIDTH, HEIGHT, seed=seed))
    for compression in ("none", "lzw", "deflate", "jpeg"):
        tiled = whole.tiffsave_buffer(tile=True, tile_width=16, tile_height=16, compression=compression)
        yield f"tiff-tiled-{compression}", tiled
    deep = whole.colourspace("rgb16")
    for predictor in ("none", "horizontal"):
        yield f"tiff-16-{predictor}", deep.tiffsave_buffer(compression="lzw", predictor=predictor)


def _heics(seed: int) -> Iterator[tuple[str, bytes]]:
    picture = photo(64, 32, seed=seed)
    yield "heic-plain", make_heic(picture)
    yield "heic-turned", make_heic(picture, quarter_turns=1, orientation=6, icc=display_p3())


def _saved(picture: Image.Image, image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, image_format, **options)
    return buffer.getvalue()


def _vips(picture: Image.Image) -> Any:
    rgb = picture.convert("RGB")
    flat = pyvips.Image.new_from_memory(rgb.tobytes(), rgb.width, rgb.height, 3, "uchar")
    return flat.copy(interpretation="srgb")
