"""Everything that a file of any accepted format holds beside its pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.core.exceptions import ImageError
from app.images.formats import ImageFormat
from app.images.metadata.findings import Finding
from app.images.metadata.gif import find_in_gif
from app.images.metadata.heif import find_in_heif
from app.images.metadata.jpeg import find_in_jpeg
from app.images.metadata.png import find_in_png
from app.images.metadata.tiff import find_in_tiff
from app.images.metadata.webp import find_in_webp

_READERS: dict[ImageFormat, Callable[[bytes], Iterator[Finding]]] = {
    ImageFormat.JPEG: find_in_jpeg,
    ImageFormat.PNG: find_in_png,
    ImageFormat.WEBP: find_in_webp,
    ImageFormat.GIF: find_in_gif,
    ImageFormat.HEIC: find_in_heif,
    ImageFormat.AVIF: find_in_heif,
    ImageFormat.TIFF: find_in_tiff,
}


def find_metadata(image_format: ImageFormat, content: bytes) -> Iterator[Finding]:
    """What stands in the file, in its order, with repeats; where a container cannot be read any further, it ends."""
    try:
        yield from _READERS[image_format](content)
    except ImageError:
        return
