"""What the image service hands back: typed dicts, so that callers index them and FastAPI validates them."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import TypedDict

from app.core.exceptions import ImageServiceError


class SourceMetadata(TypedDict):
    """The file as it was sent; sizes upright in pixels, length in bytes. None where an object does not tell."""

    width: int | None
    height: int | None
    format: str | None
    file_size: int | None
    frames: int | None


class ImageMetadata(TypedDict):
    """Facts of the stored picture; `sha256` is the hex digest of the stored bytes."""

    width: int | None
    height: int | None
    format: str | None
    has_alpha: bool | None
    sha256: str | None
    bytes_saved: int | None
    source: SourceMetadata


class UploadResult(TypedDict):
    """A stored image."""

    s3_key: str
    file_name: str
    file_size: int
    file_type: str
    image_type: str
    user_id: str | None
    url: str
    uploaded_at: str
    etag: str
    metadata: ImageMetadata


class StoredImage(UploadResult):
    """An image as its object describes it, by one HEAD."""

    content_type: str
    owner: str | None
    visibility: str


class ListedImage(TypedDict):
    """An image in a listing."""

    s3_key: str
    file_size: int
    file_type: str
    image_type: str
    user_id: str | None
    url: str
    uploaded_at: str
    etag: str


class ImagePage(TypedDict):
    """One page of a listing, newest last; `next_cursor` is None on the last page."""

    images: list[ListedImage]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """One file of a batch: its result or its error, never both, never neither."""

    file_name: str | None
    result: UploadResult | None = None
    error: ImageServiceError | None = None
