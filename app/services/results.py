"""What the image service hands back: typed dicts, so that callers index them and FastAPI validates them."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import TypedDict

from app.core.exceptions import ImageServiceError
from app.images.manifests import Manifest as Manifest


class SourceMetadata(TypedDict):
    """The file as it was sent; sizes upright in pixels, length in bytes. None where an object does not tell."""

    width: int | None
    height: int | None
    format: str | None
    file_size: int | None
    frames: int | None


class FocalPoint(TypedDict):
    """The point that crops keep in view: fractions of width and height, from the top left."""

    x: float
    y: float


class PrivacyReceipt(TypedDict):
    """What the file told beside its pixels: names of `PrivacyFact`, sorted; never the values."""

    removed: list[str]
    kept: list[str]


class ImageMetadata(TypedDict):
    """Facts of the stored picture; None where its object does not tell.

    `sha256` is the hex digest of the stored bytes, `dhash` 64 bits in hex of which near pictures share most. The
    placeholders: `thumbhash` in base64 without padding, `blurhash` in its own base 83, `dominant_color` as `#rrggbb`.
    """

    width: int | None
    height: int | None
    format: str | None
    has_alpha: bool | None
    is_animated: bool | None
    sha256: str | None
    dhash: str | None
    thumbhash: str | None
    blurhash: str | None
    dominant_color: str | None
    focal_point: FocalPoint | None
    privacy: PrivacyReceipt | None
    bytes_saved: int | None
    source: SourceMetadata


class Variant(TypedDict):
    """A rendition of an image: the width or preset it was made for, its size in pixels and bytes, where it lies.

    `url` is public, and answers strangers for images of public types only.
    """

    name: str
    s3_key: str
    url: str
    width: int
    height: int
    format: str
    file_size: int


class UploadResult(TypedDict):
    """A stored image; `variants` widest first, then the presets, in each size by format as `VARIANT_FORMATS` has them.

    Images without variants, older ones too, have none. Of private images the `url`s answer nobody; the manifest's do.
    """

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
    variants: list[Variant]
    manifest: Manifest


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
