"""Every decoder, encoder and colour transform works behind the closed doors, and makes the same bytes as outside."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.heic_pictures import make_heic
from tests.icc_profiles import adobe_rgb, display_p3
from tests.pictures import make_jpeg, photo
from tests.services.sandbox.conftest import PrisonOf

WIDTH, HEIGHT = 192, 128


def encoded(image_format: str, mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    photo(WIDTH, HEIGHT, mode=mode).save(target, image_format, **options)
    return target.getvalue()


def animated(image_format: str) -> bytes:
    frames = [photo(WIDTH, HEIGHT, seed=seed) for seed in range(3)]
    target = io.BytesIO()
    frames[0].save(target, image_format, save_all=True, append_images=frames[1:], duration=100, loop=0)
    return target.getvalue()


def cut(content: bytes) -> bytes:
    """Damaged inside its pixels, with its end in place."""
    middle = len(content) // 2
    return content[:middle] + bytes(64) + content[middle + 64 :]


PICTURES: dict[str, Callable[[], bytes]] = {
    "turned.jpg": lambda: make_jpeg(WIDTH, HEIGHT, orientation=6),
    "progressive.jpg": lambda: encoded("JPEG", progressive=True),
    "cmyk.jpg": lambda: encoded("JPEG", "CMYK"),
    "grey.jpg": lambda: encoded("JPEG", "L"),
    "p3.jpg": lambda: encoded("JPEG", icc_profile=display_p3()),
    "adobe.png": lambda: encoded("PNG", icc_profile=adobe_rgb()),
    "alpha.png": lambda: encoded("PNG", "RGBA"),
    "lossy.webp": lambda: encoded("WEBP"),
    "lossless.webp": lambda: encoded("WEBP", "RGBA", lossless=True),
    "animated.webp": lambda: animated("WEBP"),
    "animated.gif": lambda: animated("GIF"),
    "lzw.tif": lambda: encoded("TIFF", compression="tiff_lzw"),
    "jpeg.tif": lambda: encoded("TIFF", compression="jpeg"),
    "picture.avif": lambda: encoded("AVIF"),
    "picture.heic": lambda: make_heic(Image.new("RGB", (96, 64), (90, 120, 200)), icc=display_p3()),
    "damaged.jpg": lambda: cut(encoded("JPEG", progressive=True)),
    "damaged.avif": lambda: cut(encoded("AVIF")),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name, make in PICTURES.items():
        (folder / name).write_bytes(make())
    return folder


@pytest.mark.parametrize("name", PICTURES)
def test_confinement_changes_no_picture(name: str, material: Path, prison_of: PrisonOf) -> None:
    """Whatever a decoder needs it has before the doors close: pictures come out as they do without confinement."""
    about = {"works": "tests.services.sandbox.codec_works", "material": str(material), "memory_bytes": 1024**3}
    confined = prison_of(**about).work(f"render {name}")
    assert confined.startswith(("rendered", "refused") if name.startswith("damaged") else "rendered")
    assert confined == prison_of(only=(), **about).work(f"render {name}")
