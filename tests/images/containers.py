"""Files read as the service reads them."""

from __future__ import annotations

from app.images.formats import sniff_format
from app.images.records import Structure
from app.images.structure import read_structure


def read(content: bytes) -> Structure:
    """The structure of a whole file of an accepted format."""
    image_format = sniff_format(content)
    assert image_format is not None
    return read_structure(image_format, content)
