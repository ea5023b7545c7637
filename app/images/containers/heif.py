"""HEIC and AVIF: what a file says of its picture, and the file of that picture alone that a decoder may see."""

from __future__ import annotations

from app.images.containers.heif_picture import AV1, HEVC, count_frames, read_heif_picture
from app.images.containers.heif_writing import write_heif
from app.images.containers.reading import Reading


def read_avif(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Of a sequence the still picture counts."""
    return _read(content, AV1)


def read_heic(content: bytes) -> Reading:
    """See `app.images.structure.read_structure`. Thumbnails, depth maps and sequences are cut off."""
    return _read(content, HEVC)


def _read(content: bytes, codings: frozenset[bytes]) -> Reading:
    picture = read_heif_picture(content, codings)
    frames = count_frames(content)
    decodable = write_heif(content, picture)
    return Reading(picture.width, picture.height, frames=frames, is_costly=True, decodable=decodable)
