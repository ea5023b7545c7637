"""The sweep: what lies under `variants/` and belongs to no image any more, or to no spec of today, goes.

It pages through the store's listing, one page in memory. Ended at any moment it can be repeated: it keeps no state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from app.core.exceptions import InvalidImageKey, InvalidRequest
from app.images.formats import ImageFormat
from app.images.keys import VARIANTS_PREFIX, ImageKey, encode_key, parse_image_key
from app.images.variants import current_file_names
from app.services.cdn_protocols import CdnInvalidator
from app.services.deletion import delete_each
from app.services.placing import roots_of, sibling_of
from app.services.protocols import MAX_LIST_KEYS, ListedObject, ObjectStore
from app.services.wiring import Wiring

# Longer than any upload takes: until its original is there, an upload's variants look as if that were gone.
MIN_AGE = timedelta(hours=1)
DEFAULT_AGE = timedelta(hours=24)
_QUESTIONS_AT_ONCE = 16
_ANY_EXTENSION = ImageFormat.JPEG.extension


class Garbage(StrEnum):
    """What a sweep removes."""

    ORPHANS = "orphans"
    OLD_SPECS = "old_specs"


class Removal(StrEnum):
    """Whether a sweep deletes, or only says what it would delete."""

    DELETE = "delete"
    REPORT = "report"


@dataclass(slots=True)
class Heap:
    """How many objects, and their bytes together."""

    count: int = 0
    size_bytes: int = 0

    def add(self, objects: Iterable[ListedObject]) -> None:
        """Counts these too."""
        for each in objects:
            self.count += 1
            self.size_bytes += each.size


@dataclass(slots=True)
class SweepReport:
    """What was looked at and what was found; with `Removal.DELETE` the garbage is gone.

    `orphans` belong to no image, `old_specs` to a living one but to no spec of today, `unknown` lie under `variants/`
    without the name of an image of a known type: they stay.
    """

    seen: Heap = field(default_factory=Heap)
    orphans: Heap = field(default_factory=Heap)
    old_specs: Heap = field(default_factory=Heap)
    unknown: Heap = field(default_factory=Heap)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to remove: objects of images older than `before`, by the time in their keys; `prefixes` are roots."""

    prefixes: Collection[str]
    before: datetime
    current_names: frozenset[str]
    garbage: frozenset[Garbage] = frozenset({Garbage.ORPHANS})
    removal: Removal = Removal.DELETE


def plan_sweep(parts: Wiring, *, older_than: timedelta, garbage: Iterable[Garbage], removal: Removal) -> Sweep:
    """The sweep of a service's bucket, of what is older than `older_than` now.

    Raises:
        InvalidRequest: it is too short: an upload under way could be that old.
    """
    if older_than < MIN_AGE:
        raise InvalidRequest("A sweep leaves alone what is younger than an hour: it may be an upload under way.")
    return Sweep(
        prefixes=frozenset(roots_of(parts.types.values())),
        before=parts.now() - older_than,
        current_names=current_file_names(spec for plan in parts.plans.values() for spec in plan.variants),
        garbage=frozenset(garbage),
        removal=removal,
    )


async def sweep_variants(
    store: ObjectStore,
    sweep: Sweep,
    *,
    page_size: int = MAX_LIST_KEYS,
    invalidator: CdnInvalidator | None = None,
) -> SweepReport:
    """Removes the garbage under `variants/`; the bytes and counts of it.

    An original that the store does not clearly deny keeps its variants. What was deleted before an error stays deleted.

    Raises:
        S3ListFailed, S3DeleteFailed, S3Error: the store refused or failed; repeating goes on from there.
    """
    report = SweepReport()
    last = ""
    while True:
        page = await store.list(VARIANTS_PREFIX, start_after=last, limit=page_size)
        report.seen.add(page)
        garbage = await _find_garbage(store, sweep, page, report)
        if sweep.removal is Removal.DELETE:
            if garbage and invalidator is not None:
                folders = dict.fromkeys(key.rpartition("/")[0] for key in garbage)
                await invalidator.remember([f"/{encode_key(folder)}/*" for folder in folders])
            await delete_each(store, garbage)
        if len(page) < page_size:
            return report
        last = page[-1].key


async def _find_garbage(store: ObjectStore, sweep: Sweep, page: list[ListedObject], report: SweepReport) -> list[str]:
    """The keys on this page that are to go, counted in the report."""
    found: list[str] = []
    by_image: dict[ImageKey, list[ListedObject]] = {}
    for listed in page:
        key = _image_of(listed.key, sweep.prefixes)
        if key is None:
            report.unknown.add([listed])
        elif key.created_at < sweep.before:
            by_image.setdefault(key, []).append(listed)
    for key, is_there in await _ask_for_images(store, by_image):
        objects = by_image[key]
        if not is_there:
            heap, kind = report.orphans, Garbage.ORPHANS
            objects = await _without_arrivals(store, sweep, key, objects)
        else:
            heap, kind = report.old_specs, Garbage.OLD_SPECS
            objects = [each for each in objects if each.key.rpartition("/")[2] not in sweep.current_names]
        if kind in sweep.garbage:
            heap.add(objects)
            found += [each.key for each in objects]
    return found


async def _without_arrivals(
    store: ObjectStore, sweep: Sweep, key: ImageKey, objects: list[ListedObject]
) -> list[ListedObject]:
    """Those that are no new copies of an image that is moving to this key: its original comes last."""
    if all(listed.last_modified < sweep.before for listed in objects):
        return objects
    sibling = sibling_of(key)
    if sibling.root not in sweep.prefixes or not await store.list(f"{sibling.stem}.", limit=1):
        return objects
    return [listed for listed in objects if listed.last_modified < sweep.before]


async def _ask_for_images(store: ObjectStore, keys: Iterable[ImageKey]) -> list[tuple[ImageKey, bool]]:
    gate = asyncio.Semaphore(_QUESTIONS_AT_ONCE)

    async def ask(key: ImageKey) -> tuple[ImageKey, bool]:
        async with gate:
            # Whatever its extension is; a listing, unlike HEAD, cannot be misread by a proxy or a missing permission.
            return key, bool(await store.list(f"{key.stem}.", limit=1))

    return await asyncio.gather(*(ask(key) for key in keys))


def _image_of(key: str, prefixes: Collection[str]) -> ImageKey | None:
    """The image that an object under `variants/` was made from, with any extension; None where its key names none."""
    stem = key.removeprefix(VARIANTS_PREFIX).rpartition("/")[0]
    try:
        return parse_image_key(f"{stem}.{_ANY_EXTENSION}", prefixes=prefixes)
    except InvalidImageKey:
        return None
