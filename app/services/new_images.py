"""The steps of an upload before anything is stored: read, inspect and render what was sent, write down its facts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.exceptions import UploadTimedOut
from app.core.image_types import ImageType
from app.images.facts import Facts, clean_file_name
from app.images.inspection import inspect_image
from app.images.privacy import PrivacyReceipt, read_receipt
from app.images.records import FocalPoint, RenderedImage, RenderPlan, Rendition, Structure
from app.images.rights import NO_RIGHTS, Rights, add_rights, find_rights
from app.images.variant_lists import list_variants
from app.services.upload_sources import UploadSource, read_source
from app.services.wiring import Wiring


@dataclass(frozen=True, slots=True)
class RenderedUpload:
    """The pictures made of a file, and what the file told beside its pixels."""

    picture: RenderedImage
    receipt: PrivacyReceipt


@dataclass(frozen=True, slots=True)
class _Inspected:
    structure: Structure
    rights: Rights
    receipt: PrivacyReceipt


async def render_upload(
    parts: Wiring, file: UploadSource, kind: ImageType, *, plan: RenderPlan, on_variant: Callable[[Rendition], None]
) -> RenderedUpload:
    """The stored pictures of a file, within the limits of its type; each variant is told of as soon as it is finished.

    Raises:
        ImageError, InvalidRequest: the file; repeating does not help.
        ProcessingOverloaded: too many pictures are waiting.
        UploadTimedOut: the file could not be read in time.
    """
    max_bytes = kind.max_upload_bytes or parts.max_upload_bytes
    # A slot is held from reading to rendering, so that no more files are in memory than are worked on.
    async with parts.slots.hold() as waited_seconds:
        content = await _read_in_time(file, max_bytes=max_bytes, seconds=parts.source_timeout_seconds)
        inspected = await asyncio.to_thread(_inspect, content, parts)
        picture = await parts.processor.render(
            inspected.structure,
            file_size=len(content),
            plan=plan,
            on_variant=on_variant,
            waited_seconds=waited_seconds,
        )
    body = add_rights(picture.format, picture.body, inspected.rights)
    return RenderedUpload(replace(picture, body=body), inspected.receipt)


async def _read_in_time(file: UploadSource, *, max_bytes: int, seconds: float) -> bytes:
    """A source that stalls gives its slot back."""
    try:
        async with asyncio.timeout(seconds):
            return await read_source(file, max_bytes=max_bytes)
    except TimeoutError:
        raise UploadTimedOut from None


def _inspect(content: bytes, parts: Wiring) -> _Inspected:
    structure = inspect_image(content, parts.pixel_limits)
    rights = find_rights(structure.format, content) if parts.keeps_copyright else NO_RIGHTS
    return _Inspected(structure, rights, read_receipt(structure.format, content, kept=rights))


def facts_of_upload(
    upload: RenderedUpload,
    *,
    image_type: str,
    owner: str | None,
    file_name: str | None,
    focal_point: FocalPoint | None,
    uploaded_at: datetime,
) -> Facts:
    """What is kept beside the picture; `file_name` is the claimed one."""
    picture, source, seen = upload.picture, upload.picture.source, upload.picture.facts
    return Facts(
        image_type=image_type,
        owner=owner,
        file_name=clean_file_name(file_name),
        uploaded_at=uploaded_at,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        has_alpha=seen.has_alpha,
        is_animated=seen.is_animated,
        sha256=hashlib.sha256(picture.body).hexdigest(),
        thumbhash=seen.thumbhash or None,
        blurhash=seen.blurhash or None,
        dominant_color=seen.dominant_color,
        dhash=seen.dhash,
        focal_point=focal_point,
        removed=tuple(upload.receipt.removed),
        kept=tuple(upload.receipt.kept),
        source_format=source.format,
        source_width=source.width,
        source_height=source.height,
        source_file_size=source.file_size,
        source_frames=source.frames,
        variants=list_variants(picture.variants),
    )
