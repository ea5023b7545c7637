"""Everything that is known of a file before a decoder sees it."""

from __future__ import annotations

from app.core.exceptions import ImageFormatUnsupported
from app.images.formats import NAMING_BYTES, SNIFF_BYTES, ImageFormat, name_refused, sniff_format
from app.images.limits import PixelLimits, check_pixels
from app.images.records import Structure
from app.images.structure import read_structure


def inspect_image(content: bytes, limits: PixelLimits) -> Structure:
    """The structure of a picture in an accepted format, complete and within the limits.

    Raises:
        ImageFormatUnsupported: it is something else, which the sentence names.
        ImageTruncated, ImageCorrupt, ImageTooManyPixels, ImageTooManyFrames: as they say. Repeating does not help.
    """
    image_format = sniff_format(content[:SNIFF_BYTES])
    if image_format is None:
        accepted = ", ".join(member.name for member in ImageFormat)
        raise ImageFormatUnsupported(f"The file is {name_refused(content[:NAMING_BYTES])}; accepted are {accepted}.")
    structure = read_structure(image_format, content)
    check_pixels(structure, limits)
    return structure
