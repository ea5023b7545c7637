"""Nothing that a camera or a program wrote beside the pixels is ever stored."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from tests.icc_profiles import display_p3
from tests.pictures import CANARY, decode, make_jpeg, make_png, make_webp
from tests.services.decoder.rendering import render

SECRET = CANARY.encode()
EVERYWHERE: dict[str, Any] = {"text": CANARY, "gps": True}
SIZE = (90, 60)

FILES = {
    "jpeg exif and gps": make_jpeg(*SIZE, **EVERYWHERE),
    "jpeg xmp": make_jpeg(*SIZE, xmp=b"<x:xmpmeta>" + SECRET),
    "jpeg iptc": make_jpeg(*SIZE, iptc=b"\x1c\x02\x78\x00\x10" + SECRET),
    "jpeg comment": make_jpeg(*SIZE, comment=SECRET),
    "jpeg profile": make_jpeg(*SIZE, icc=display_p3(CANARY)),
    "jpeg trailer": make_jpeg(*SIZE, trailing=SECRET),
    "jpeg second picture": make_jpeg(*SIZE, second_picture=make_jpeg(30, 20, comment=SECRET)),
    "jpeg of high quality": make_jpeg(*SIZE, quality=98, xmp=SECRET, comment=SECRET, **EVERYWHERE),
    "progressive jpeg": make_jpeg(*SIZE, progressive=True, xmp=SECRET, **EVERYWHERE),
    "turned jpeg": make_jpeg(*SIZE, orientation=6, comment=SECRET, **EVERYWHERE),
    "png exif and gps": make_png(*SIZE, **EVERYWHERE),
    "png text": make_png(
        *SIZE,
        chunks=[
            (b"tEXt", b"Author\0" + SECRET),
            (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + SECRET),
            (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(SECRET)),
        ],
    ),
    "png profile": make_png(*SIZE, icc=display_p3(CANARY)),
    "png unknown chunk": make_png(*SIZE, chunks=[(b"prVt", SECRET)]),
    "png trailer": make_png(*SIZE, trailing=SECRET),
    "palette png": make_png(*SIZE, mode="P", chunks=[(b"tEXt", SECRET)]),
    "webp exif and gps": make_webp(*SIZE, **EVERYWHERE),
    "webp xmp": make_webp(*SIZE, xmp=SECRET),
    "webp profile": make_webp(*SIZE, icc=display_p3(CANARY)),
    "webp unknown chunk": make_webp(*SIZE, chunks=[(b"prVt", SECRET)]),
    "webp trailer": make_webp(*SIZE, trailing=SECRET),
    "webp with transparency": make_webp(*SIZE, mode="RGBA", xmp=SECRET, **EVERYWHERE),
    "animated webp": make_webp(*SIZE, frames=2, xmp=SECRET),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("limit", [2560, 50])
def test_no_metadata_is_stored(name: str, limit: int) -> None:
    """Where a photo was taken, by whom and with what never leaves the sender, whether it was scaled or kept."""
    content = FILES[name]
    assert SECRET in content or name == "png profile", "packed"
    body = render(content, max_side_pixels=limit).body
    assert SECRET not in body
    image = decode(body)
    assert image.getexif() == {}
    assert not {"exif", "xmp", "icc_profile", "comment", "photoshop", "XML:com.adobe.xmp"}.intersection(image.info)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_loaded_with_metadata_is_still_the_picture(name: str) -> None:
    """Removing what hangs on a photo does not remove the photo."""
    rendered = render(FILES[name])
    assert {rendered.width, rendered.height} == set(SIZE)
