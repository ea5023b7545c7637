"""Encoders leave nothing in a file but the picture, and read nothing from the disk to write one."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from tests.pictures import CANARY, exif, photo
from tests.services.codecs.making import vips_image

ROOT = Path(__file__).parents[3]
WRITTEN = [ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.AVIF]
FOREIGN = [b"Exif", b"ICC_PROFILE", b"iCCP", b"acsp", b"http", b"vips", b"Pillow", b"Lavc", b"libwebp", b"pHYs"]

CONFINED = """
import sys
import pyvips
from app.images.formats import ImageFormat
from app.services.decoder.codecs import encode
from app.services.decoder.quality import QualityChooser

image = pyvips.Image.black(256, 192, bands=3).copy(interpretation="srgb").copy_memory()
pyvips.cache_set_max(0)
image.jpegsave_buffer()

def forbid(event, arguments):
    if event in {"open", "import", "os.listdir", "socket.connect", "subprocess.Popen", "_thread.start_new_thread"}:
        raise RuntimeError(f"{event} {arguments[0]!r}")

sys.addaudithook(forbid)
for image_format in (ImageFormat.JPEG, ImageFormat.PNG, ImageFormat.WEBP, ImageFormat.AVIF):
    for effort in (0, 9):
        assert encode(image, image_format, quality=80, effort=effort)
chooser = QualityChooser(image, target=75, effort=0)
print([chooser.quality_for(each).bit_length() > 0 for each in (ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.AVIF)])
"""


@pytest.mark.parametrize(
    ("image_format", "mode"),
    [pair for pair in product(WRITTEN, ["L", "RGB", "RGBA"]) if pair != (ImageFormat.JPEG, "RGBA")],
)
def test_a_file_holds_the_picture_and_nothing_else(image_format: ImageFormat, mode: str) -> None:
    """No profile, no EXIF, no name of a library, not even where the pixels came with some."""
    image = vips_image(photo(80, 60, mode=mode)).copy()
    image.set_type(pyvips_blob(), "exif-data", b"Exif\0\0" + exif(text=CANARY))
    image.set_type(pyvips_blob(), "icc-profile-data", CANARY.encode() * 20)
    body = encode(image, image_format, quality=80, effort=0)
    assert [word for word in [*FOREIGN, CANARY.encode()] if word in body] == []


def pyvips_blob() -> int:
    import pyvips

    return int(pyvips.GValue.blob_type)


def test_encoding_opens_no_file_and_starts_no_thread() -> None:
    """A worker that may not open anything any more can still encode and choose qualities: all was loaded before."""
    done = subprocess.run([sys.executable, "-c", CONFINED], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.strip() == "[True, True, True]"
