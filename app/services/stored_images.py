"""Stored objects as results for callers; what an object does not tell is read from its key, or None."""

from __future__ import annotations

from app.core.image_types import Visibility
from app.images.facts import Facts, format_time
from app.images.formats import ImageFormat
from app.images.keys import ImageKey
from app.services.protocols import ListedObject, StoredObject, UrlSigner
from app.services.results import (
    ImageMetadata,
    ListedImage,
    Manifest,
    PrivacyReceipt,
    StoredImage,
    UploadResult,
    Variant,
)


def metadata_of(facts: Facts, file_size: int) -> ImageMetadata:
    """The facts of an image of `file_size` stored bytes."""
    sent = facts.source_file_size
    return {
        "width": facts.width,
        "height": facts.height,
        "format": _value(facts.format),
        "has_alpha": facts.has_alpha,
        "is_animated": facts.is_animated,
        "sha256": facts.sha256,
        "dhash": facts.dhash,
        "thumbhash": facts.thumbhash,
        "blurhash": facts.blurhash,
        "dominant_color": facts.dominant_color,
        "focal_point": {"x": facts.focal_point.x, "y": facts.focal_point.y} if facts.focal_point else None,
        "privacy": _receipt_of(facts),
        "bytes_saved": None if sent is None else sent - file_size,
        "source": {
            "width": facts.source_width,
            "height": facts.source_height,
            "format": _value(facts.source_format),
            "file_size": sent,
            "frames": facts.source_frames,
        },
    }


def variants_of(key: ImageKey, facts: Facts, urls: UrlSigner) -> list[Variant]:
    """The variants that an image's facts list, with their URLs; none where they list none."""
    return [
        {
            "name": variant.name,
            "s3_key": (s3_key := f"{key.variants_prefix}{variant.file_name}"),
            "url": urls.public_url(s3_key),
            "width": variant.width,
            "height": variant.height,
            "format": variant.format.value,
            "file_size": variant.file_size,
        }
        for variant in facts.variants or ()
    ]


def _receipt_of(facts: Facts) -> PrivacyReceipt | None:
    if facts.removed is None or facts.kept is None:
        return None
    return {"removed": list(facts.removed), "kept": list(facts.kept)}


def _value(image_format: ImageFormat | None) -> str | None:
    return image_format.value if image_format else None


def owner_of(key: ImageKey, stored: StoredObject) -> str | None:
    """Who owns the image: as its metadata says, else the user in its key, else nobody."""
    return Facts.from_metadata(stored.metadata).owner or key.user_id


def describe_uploaded(
    key: ImageKey, etag: str, facts: Facts, *, file_size: int, urls: UrlSigner, manifest: Manifest
) -> UploadResult:
    """An image that was just stored, of `file_size` bytes."""
    return {
        "s3_key": str(key),
        "file_name": facts.file_name or key.name,
        "file_size": file_size,
        "file_type": key.extension,
        "image_type": facts.image_type or key.prefix,
        "user_id": key.user_id,
        "url": urls.public_url(str(key)),
        "uploaded_at": format_time(facts.uploaded_at or key.created_at),
        "etag": etag,
        "metadata": metadata_of(facts, file_size),
        "variants": variants_of(key, facts, urls),
        "manifest": manifest,
    }


def describe_stored(
    key: ImageKey,
    stored: StoredObject,
    image_type: str,
    visibility: Visibility,
    urls: UrlSigner,
    *,
    manifest: Manifest,
) -> StoredImage:
    """An image as its object describes it."""
    facts = Facts.from_metadata(stored.metadata)
    return {
        "s3_key": str(key),
        "file_name": facts.file_name or key.name,
        "file_size": stored.size,
        "file_type": key.extension,
        "image_type": image_type,
        "user_id": key.user_id,
        "url": urls.public_url(str(key)),
        "uploaded_at": format_time(facts.uploaded_at or key.created_at),
        "etag": stored.etag,
        "metadata": metadata_of(facts, stored.size),
        "variants": variants_of(key, facts, urls),
        "manifest": manifest,
        "content_type": stored.content_type,
        "owner": owner_of(key, stored),
        "visibility": visibility.value,
    }


def describe_listed(key: ImageKey, listed: ListedObject, image_type: str, urls: UrlSigner) -> ListedImage:
    """An image as a listing knows it; the time is the key's, to the second."""
    return {
        "s3_key": str(key),
        "file_size": listed.size,
        "file_type": key.extension,
        "image_type": image_type,
        "user_id": key.user_id,
        "url": urls.public_url(str(key)),
        "uploaded_at": format_time(key.created_at),
        "etag": listed.etag,
    }
