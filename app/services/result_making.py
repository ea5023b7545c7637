"""Making a transformed picture: from the nearest larger stored one, by a confined decoder, into the bucket."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, replace

from app.core.exceptions import ImageCorrupt, ImageNotFound, ImageServiceError, InvalidImageKey, InvalidTransform
from app.core.image_types import Visibility
from app.core.logging import get_logger
from app.images.facts import Facts
from app.images.formats import ImageFormat
from app.images.geometry import Size
from app.images.inspection import inspect_image
from app.images.keys import ImageKey, parse_image_key
from app.images.recipes import TransformedImage, needed_size
from app.images.records import Structure
from app.images.transforms import Transform
from app.services.delivery_candidates import Candidate, KnownImage, find_preset, recipe_of
from app.services.protocols import KeyTaken, NewObject, StoredObject
from app.services.wiring import Wiring

_log = get_logger("heaven.images")

# Of two stored pictures of about the size that is needed, the one farther away: coding it twice at one size shows.
_SPARE = 1.2
# By how fast they are decoded.
_DECODED_FIRST = (ImageFormat.JPEG, ImageFormat.WEBP, ImageFormat.PNG, ImageFormat.AVIF)
# Smaller files are looked at on the event loop: another thread would take longer.
_SMALL_BYTES = 400_000


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """A stored rendition of the whole picture."""

    object_key: str
    format: ImageFormat
    size: Size


@dataclass(frozen=True, slots=True)
class MadeResult:
    """A result that was just made and is stored."""

    object: StoredObject
    body: bytes


async def make_result(parts: Wiring, image: KnownImage, transform: Transform, candidate: Candidate) -> MadeResult:
    """Makes and stores the candidate. Another one who made it meanwhile changes nothing.

    Raises:
        ImageNotFound: the image is gone, or went meanwhile; then nothing of it stays.
        InvalidTransform: the watermark is not a public image of this service.
        ProcessingOverloaded: too many pictures are waiting; repeat later.
        ImageError, S3Error: it cannot be decoded, or the store failed.
    """
    # A crowd is refused before anything is read for it.
    parts.slots.check_room()
    made = await _render(parts, image, transform, candidate.format)
    result = await _store(parts, image, candidate, made)
    # A delete that came between the reading and the writing found nothing to delete yet.
    try:
        is_there = await parts.store.head(str(image.key)) is not None
    except BaseException:
        # Nobody knows: it can be made again, but what belongs to no image must not stay.
        await asyncio.shield(_take_back(parts, candidate))
        raise
    if not is_there:
        await parts.store.delete(candidate.object_key)
        raise ImageNotFound
    return result


async def _take_back(parts: Wiring, candidate: Candidate) -> None:
    try:
        await parts.store.delete(candidate.object_key)
    except ImageServiceError as error:
        # The caller hears of the failure that led here; of the garbage only the log can tell.
        _log.warning("result_left_to_the_sweep", key=candidate.object_key, code=error.code.value)


async def _render(
    parts: Wiring, image: KnownImage, transform: Transform, image_format: ImageFormat
) -> TransformedImage:
    overlay = await _read_watermark(parts, transform) if transform.watermark else None
    source, structure = await _read_source(parts, image, transform, image_format)
    recipe = recipe_of(
        image,
        transform,
        image_format,
        decoded=source.size,
        overlay_size=(overlay.width, overlay.height) if overlay else None,
    )
    # Held for the rendering alone: others read and store meanwhile, so that no worker waits for the store.
    async with parts.slots.hold() as waited_seconds:
        return await parts.processor.transform(structure, recipe, overlay=overlay, waited_seconds=waited_seconds)


async def _read_source(
    parts: Wiring, image: KnownImage, transform: Transform, image_format: ImageFormat
) -> tuple[StoredPicture, Structure]:
    chosen = choose_source(image, transform, image_format)
    original = StoredPicture(str(image.key), image.format, image.size)
    for source in dict.fromkeys((chosen, original)):
        try:
            return source, await _read(parts, source.object_key)
        except ImageNotFound:
            # A variant may have been swept; without the original there is no image.
            continue
    raise ImageNotFound


def choose_source(image: KnownImage, transform: Transform, image_format: ImageFormat) -> StoredPicture:
    """The smallest stored rendition of the whole picture with all the pixels that are needed, and some to spare."""
    original = StoredPicture(str(image.key), image.format, image.size)
    if image.facts.is_animated or not image.facts.variants:
        return original
    preset = find_preset(image.plan, transform.preset) if transform.preset else None
    needed = needed_size(transform, preset=preset, stored=image.size)
    whole_names = {spec.name for spec in image.plan.variants if spec.height is None}
    large_enough = [
        StoredPicture(
            f"{image.key.variants_prefix}{variant.file_name}", variant.format, (variant.width, variant.height)
        )
        for variant in image.facts.variants
        if variant.name in whole_names
        and min(variant.width / needed[0], variant.height / needed[1]) >= _SPARE
        and variant.width < image.size[0]
        and _shows_alpha(variant.format, image, image_format)
    ]
    return min(large_enough, key=lambda each: (each.size, _DECODED_FIRST.index(each.format)), default=original)


def _shows_alpha(source: ImageFormat, image: KnownImage, wanted: ImageFormat) -> bool:
    return source is not ImageFormat.JPEG or not image.facts.has_alpha or wanted is ImageFormat.JPEG


async def _read_watermark(parts: Wiring, transform: Transform) -> Structure:
    """The picture to lay over: public, so that no URL shows what its reader may not see."""
    assert transform.watermark is not None  # noqa: S101 - the caller looked
    prefixes = {kind.prefix for kind in parts.types.values() if kind.visibility is Visibility.PUBLIC}
    missing = InvalidTransform("watermark: there is no public image at its key.")
    try:
        key = parse_image_key(transform.watermark.s3_key, prefixes=prefixes)
        structure = None if key.is_private else await _read(parts, str(key))
    except (InvalidImageKey, ImageNotFound):
        raise missing from None
    if structure is None:
        raise missing
    return structure


async def _read(parts: Wiring, object_key: str) -> Structure:
    _, content = await _read_whole(parts, object_key)
    if len(content) <= _SMALL_BYTES:
        return inspect_image(content, parts.pixel_limits)
    return await asyncio.to_thread(inspect_image, content, parts.pixel_limits)


async def _read_whole(parts: Wiring, object_key: str) -> tuple[StoredObject, bytes]:
    stream = await parts.store.get(object_key)
    return stream.object, b"".join([chunk async for chunk in stream.chunks])


async def _store(parts: Wiring, image: KnownImage, candidate: Candidate, made: TransformedImage) -> MadeResult:
    metadata = {
        "sha256": hashlib.sha256(made.body).hexdigest(),
        "width": str(made.width),
        "height": str(made.height),
    }
    cache_control = parts.delivery.cache_control(image.visibility)
    new = NewObject(candidate.object_key, made.body, made.format.content_type, cache_control, metadata)
    try:
        etag = await parts.store.create(new)
    except KeyTaken:
        # Another replica was faster: its result is the one that everyone is shown.
        return MadeResult(*await _read_whole(parts, candidate.object_key))
    stored = StoredObject(new.key, len(new.body), etag, new.content_type, new.cache_control, parts.now(), metadata)
    return MadeResult(stored, new.body)


async def complete_facts(parts: Wiring, key: ImageKey, facts: Facts) -> Facts:
    """The facts with the picture's size, read from the picture itself where its object does not tell."""
    if facts.width and facts.height:
        return facts
    structure = await _read(parts, str(key))
    if not structure.width or not structure.height:
        raise ImageCorrupt
    return replace(facts, width=structure.width, height=structure.height, is_animated=structure.frames > 1)
