"""The shapes of images on the wire, with the examples that the API's documentation shows."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.schemas.errors import Problem
from app.schemas.manifests import EXAMPLE_MANIFEST, Manifest

EXAMPLE_KEY = "users/123/20241201_143022_a1b2c3d4.jpg"
# As `next_cursor` gives it for that key.
EXAMPLE_CURSOR = "dXNlcnMvMTIzLzIwMjQxMjAxXzE0MzAyMl9hMWIyYzNkNC5qcGc"
_EXAMPLE_URL = f"https://images.example.com/{EXAMPLE_KEY}"
_EXAMPLE_ETAG = '"9b2cf535f27731c974343645a3985328"'


def _variant(name: str, width: int, height: int, image_format: str, file_size: int) -> dict[str, Any]:
    extension = {"jpeg": "jpg"}.get(image_format, image_format)
    s3_key = f"variants/{EXAMPLE_KEY.removesuffix('.jpg')}/{name}-2b9db108.{extension}"
    return {
        "name": name,
        "s3_key": s3_key,
        "url": f"https://images.example.com/{s3_key}",
        "width": width,
        "height": height,
        "format": image_format,
        "file_size": file_size,
    }


_LISTED: dict[str, Any] = {
    "s3_key": EXAMPLE_KEY,
    "file_size": 645210,
    "file_type": "jpg",
    "image_type": "user",
    "user_id": "123",
    "url": _EXAMPLE_URL,
    "uploaded_at": "2024-12-01T14:30:22.000000",
    "etag": _EXAMPLE_ETAG,
}
_UPLOADED: dict[str, Any] = _LISTED | {
    "file_name": "IMG_2041.jpg",
    "uploaded_at": "2024-12-01T14:30:22.123456",
    "metadata": {
        "width": 2560,
        "height": 1920,
        "format": "jpeg",
        "has_alpha": False,
        "is_animated": False,
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "dhash": "3c3e0e1a3a1e1e1e",
        "thumbhash": "1QcSHQRnh493V4dIh4eXh1h4kJUI",
        "blurhash": "LEHV6nWB2yk8pyo0adR*.7kCMdnj",
        "dominant_color": "#7a8c99",
        "focal_point": {"x": 0.5, "y": 0.3},
        "privacy": {"removed": ["camera", "exif", "gps", "thumbnail"], "kept": []},
        "bytes_saved": 3549094,
        "source": {"width": 4032, "height": 3024, "format": "jpeg", "file_size": 4194304, "frames": 1},
    },
    "variants": [_variant("640", 640, 480, "avif", 48210), _variant("thumb", 320, 320, "jpeg", 21034)],
    "manifest": EXAMPLE_MANIFEST,
}


_REFUSED: dict[str, Any] = {
    "file_name": "notes.txt",
    "status": 415,
    "error": {
        "type": "about:blank",
        "status": 415,
        "code": "IMAGE_FORMAT_UNSUPPORTED",
        "title": "This kind of file is not accepted.",
        "detail": "The file is an unknown format; accepted are JPEG, PNG, WEBP, HEIC.",
        "request_id": "5f0c6f0e8d1b4a3f",
        "retryable": False,
    },
}


def _example(example: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [example]})


class SourceFacts(BaseModel):
    """The file as it was sent: upright size in pixels, length in bytes."""

    width: int | None
    height: int | None
    format: str | None
    file_size: int | None
    frames: int | None


class FocalPoint(BaseModel):
    """The point that crops keep in view: fractions of width and height, from the top left."""

    x: float = Field(ge=0, le=1)
    y: float = Field(ge=0, le=1)


class PrivacyReceipt(BaseModel):
    """What the file told beside its pixels, by name: what is gone and what stayed; never the values."""

    removed: list[str]
    kept: list[str]


class ImageFacts(BaseModel):
    """The stored picture: size in pixels, what to show before it has come, bytes saved against what was sent.

    What an older image does not tell is null.
    """

    width: int | None
    height: int | None
    format: str | None
    has_alpha: bool | None
    is_animated: bool | None
    sha256: str | None = Field(description="Hex digest of the stored bytes.")
    dhash: str | None = Field(description="64 bits in hex; pictures that look alike differ in few.")
    thumbhash: str | None = Field(description="ThumbHash in base64 without padding.")
    blurhash: str | None = Field(description="BlurHash.")
    dominant_color: str | None = Field(description="#rrggbb.")
    focal_point: FocalPoint | None
    privacy: PrivacyReceipt | None
    bytes_saved: int | None
    source: SourceFacts


class Variant(BaseModel):
    """A rendition of an image: the width or preset that it was made for, its size in pixels and bytes."""

    name: str = Field(description="The width it was made for, or the preset.")
    s3_key: str
    url: str = Field(description="Public; it answers strangers for images of public types only.")
    width: int
    height: int
    format: str
    file_size: int


class ListedImage(BaseModel):
    """An image in a listing; `uploaded_at` is UTC, to the second."""

    model_config = _example(_LISTED)

    s3_key: str
    file_size: int = Field(description="Bytes stored.")
    file_type: str = Field(description="Extension of the stored format: jpg, png, webp or avif.")
    image_type: str
    user_id: str | None = Field(description="The user in the key; null for general uploads.")
    url: str
    uploaded_at: str = Field(description="UTC.")
    etag: str


class UploadedImage(ListedImage):
    """A stored image."""

    model_config = _example(_UPLOADED)

    file_name: str = Field(description="The name the file was sent with, without its path.")
    metadata: ImageFacts
    variants: list[Variant] = Field(description="Widest first, then the presets; each size by format.")
    manifest: Manifest = Field(description="What a page needs to show it; here the URLs of private images are signed.")


class ImageDescription(UploadedImage):
    """An image as the store describes it."""

    model_config = _example(_UPLOADED | {"content_type": "image/jpeg", "owner": "123", "visibility": "public"})

    content_type: str
    owner: str | None = Field(description="Who may delete it; null when nobody owns it or the caller may not know.")
    visibility: str


class ImagePage(BaseModel):
    """One page of a listing, newest last; `next_cursor` is null on the last page."""

    model_config = _example({"images": [_LISTED], "next_cursor": None})

    images: list[ListedImage]
    next_cursor: str | None


class ImageUrls(BaseModel):
    """The public URL (it answers strangers for public types only) and one that anyone who has it may use for a time."""

    model_config = _example(
        {
            "s3_key": EXAMPLE_KEY,
            "url": _EXAMPLE_URL,
            "presigned_url": f"{_EXAMPLE_URL}?X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "expires_in": 3600,
            "expires_at": "2024-12-01T15:30:22.000000",
        }
    )

    s3_key: str
    url: str
    presigned_url: str
    expires_in: int = Field(description="Seconds.")
    expires_at: str = Field(description="UTC.")


class StoredOutcome(BaseModel):
    """A file of a batch that was stored."""

    file_name: str | None
    status: Literal[201] = 201
    image: UploadedImage


class RefusedOutcome(BaseModel):
    """A file of a batch that was not stored, with the problem and the status it would have had alone."""

    file_name: str | None
    status: int = Field(ge=400, le=599)
    error: Problem


class BatchOutcomes(BaseModel):
    """An outcome per file, in the order they were sent."""

    model_config = _example({"outcomes": [{"file_name": "IMG_2041.jpg", "status": 201, "image": _UPLOADED}, _REFUSED]})

    outcomes: list[StoredOutcome | RefusedOutcome]


class Health(BaseModel):
    """The answer of a service that is well."""

    model_config = _example({"status": "ready"})

    status: Literal["alive", "ready"]
