"""Container checks and filters on bytes: is the file complete, how large, how many frames; text and trailers dropped.

Decoders accept files that are cut short and read chunks that explode in memory; here both end before any decoder sees
a byte. `app.images.containers` has a file for each container.
"""

from __future__ import annotations

from app.images.containers.gif import gif_blocks as gif_blocks
from app.images.containers.isobmff import heif_boxes as heif_boxes
from app.images.containers.jpeg import MAX_JPEG_SCANS as MAX_JPEG_SCANS
from app.images.containers.jpeg import jpeg_segments as jpeg_segments
from app.images.containers.png import png_chunks as png_chunks
from app.images.containers.reading import MAX_PARTS as MAX_PARTS
from app.images.containers.reading import MAX_PROFILE_BYTES as MAX_PROFILE_BYTES
from app.images.containers.tiff import tiff_directories as tiff_directories
from app.images.containers.webp import webp_chunks as webp_chunks
from app.images.formats import FORMATS, ImageFormat
from app.images.records import Structure


def read_structure(image_format: ImageFormat, content: bytes) -> Structure:
    """The structure of a whole file of this format.

    Raises:
        ImageTruncated: the container is cut short.
        ImageCorrupt: the container contradicts itself.
        ImageTooManyFrames: it is an animation of more frames than are worth counting.
        ImageFormatUnsupported: the format has codings that are not accepted, and this is one; the sentence names it.
    """
    reading = FORMATS[image_format].reader(content)
    return Structure(image_format, reading.width, reading.height, reading.frames, reading.is_costly, reading.decodable)
