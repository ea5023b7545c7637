"""One small whole file of every kind that is accepted, by name."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tests.heic_pictures import make_heic
from tests.images.builders import encoded, gif, grey_tiff, pillow_file, tiff
from tests.pictures import exif, make_jpeg, make_png, make_webp, photo, quadrants

_PAGES = [photo(24, 16, seed=seed) for seed in range(2)]

WHOLE_FILES = {
    "jpeg": make_jpeg(24, 16, comment=b"hello"),
    "progressive jpeg": make_jpeg(24, 16, progressive=True),
    "cmyk jpeg": make_jpeg(24, 16, mode="CMYK"),
    "png": make_png(24, 16, text="hello"),
    "interlaced png": make_png(24, 16, interlaced=True),
    "apng": make_png(12, 8, frames=2),
    "webp": make_webp(24, 16),
    "lossless webp": make_webp(24, 16, lossless=True, text="hello"),
    "animated webp": make_webp(12, 8, frames=2),
    "gif": pillow_file("GIF", mode="P"),
    "animated gif": pillow_file("GIF", size=(12, 8), mode="P", frames=3),
    "gif by hand": gif((12, 8), [(0, 0, 12, 8), (2, 2, 3, 3)]),
    "avif": pillow_file("AVIF"),
    "alpha avif": pillow_file("AVIF", mode="RGBA", exif=b"Exif\0\0" + exif(gps=True)),
    "avif sequence": pillow_file("AVIF", frames=3),
    "heic": make_heic(quadrants(64, 32), orientation=6),
    "tiff": pillow_file("TIFF"),
    "lzw tiff": pillow_file("TIFF", compression="tiff_lzw"),
    "deflate tiff": pillow_file("TIFF", compression="tiff_adobe_deflate"),
    "packbits tiff": pillow_file("TIFF", compression="packbits"),
    "jpeg tiff": pillow_file("TIFF", compression="jpeg"),
    "fax tiff": pillow_file("TIFF", mode="1", compression="group4"),
    "16-bit tiff": encoded(Image.fromarray(np.arange(24 * 16, dtype=np.uint16).reshape(16, 24) * 170), "TIFF"),
    "palette tiff": pillow_file("TIFF", mode="P"),
    "tiff of pages": encoded(_PAGES[0], "TIFF", save_all=True, append_images=_PAGES[1:]),
    "big-endian tiff": tiff(grey_tiff(24, 16), order=">", pixels=bytes(range(24)) * 16),
}
