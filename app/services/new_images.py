"""The steps of an upload: read and render what was sent, write down its facts, store it under a key that was free."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime

from app.core.exceptions import S3UploadFailed, UploadTimedOut
from app.core.image_types import ImageType, Visibility
from app.images.facts import Facts, clean_file_name
from app.images.inspection import inspect_image
from app.images.keys import ImageKey
from app.images.records import RenderedImage
from app.services.protocols import KeyTaken, NewObject
from app.services.upload_sources import UploadSource, read_source
from app.services.wiring import Wiring

CACHE_CONTROL = {
    Visibility.PUBLIC: "public, max-age=31536000, immutable",
    Visibility.PRIVATE: "private, no-cache",
}
_KEY_DRAWS = 5


async def render_upload(parts: Wiring, file: UploadSource, kind: ImageType) -> RenderedImage:
    """The stored picture of a file, within the limits of its type.

    Raises:
        ImageError, InvalidRequest: the file; repeating does not help.
        UploadTimedOut: the file could not be read in time.
    """
    max_bytes = kind.max_upload_bytes or parts.max_upload_bytes
    options = replace(
        parts.render_options,
        max_side_pixels=kind.max_stored_side_pixels or parts.render_options.max_side_pixels,
    )
    # A slot is held from reading to rendering, so that no more files are in memory than are worked on.
    async with parts.slots.hold():
        content = await _read_in_time(file, max_bytes=max_bytes, seconds=parts.source_timeout_seconds)
        structure = await asyncio.to_thread(inspect_image, content, parts.pixel_limits)
        return await parts.processor.render(structure, file_size=len(content), options=options)


async def _read_in_time(file: UploadSource, *, max_bytes: int, seconds: float) -> bytes:
    """A source that stalls gives its slot back."""
    try:
        async with asyncio.timeout(seconds):
            return await read_source(file, max_bytes=max_bytes)
    except TimeoutError:
        raise UploadTimedOut from None


def facts_of_upload(
    rendered: RenderedImage, *, image_type: str, owner: str | None, file_name: str | None, uploaded_at: datetime
) -> Facts:
    """What is kept beside the picture; `file_name` is the claimed one."""
    source = rendered.source
    return Facts(
        image_type=image_type,
        owner=owner,
        file_name=clean_file_name(file_name),
        uploaded_at=uploaded_at,
        width=rendered.width,
        height=rendered.height,
        format=rendered.format,
        has_alpha=rendered.has_alpha,
        sha256=hashlib.sha256(rendered.body).hexdigest(),
        source_format=source.format,
        source_width=source.width,
        source_height=source.height,
        source_file_size=source.file_size,
        source_frames=source.frames,
    )


async def store_under_new_key(
    parts: Wiring, rendered: RenderedImage, facts: Facts, kind: ImageType, *, user_id: str | None
) -> tuple[ImageKey, str]:
    """Key and ETag of the picture, stored whole; a key that is taken is drawn again.

    Raises:
        S3UploadFailed: the store refused, or five keys in a row were taken.
    """
    created_at = facts.uploaded_at or parts.now()
    for _ in range(_KEY_DRAWS):
        key = ImageKey(kind.prefix, user_id, created_at, parts.new_token(), rendered.format.extension)
        new = NewObject(
            key=str(key),
            body=rendered.body,
            content_type=rendered.format.content_type,
            cache_control=CACHE_CONTROL[kind.visibility],
            metadata=facts.to_metadata(),
        )
        try:
            return key, await parts.store.create(new)
        except KeyTaken:
            continue
    raise S3UploadFailed("No free key was found.")
