"""The use cases about manifests: what a page needs to show images, by one HEAD per image and none per variant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from app.core.exceptions import ImageNotFound, TooManyFiles
from app.core.image_types import Visibility
from app.images.facts import Facts
from app.images.keys import ImageKey
from app.images.manifests import Manifest, ManifestUrls, build_manifest, check_sizes, object_keys_of
from app.services.protocols import StoredObject
from app.services.results import StoredImage
from app.services.store_time import store_time
from app.services.stored_images import describe_stored, owner_of
from app.services.url_methods import UrlMethods

MAX_MANIFESTS = 100
HEADS_AT_ONCE = 16

MaySee = Callable[[Visibility, str | None], bool]


def everyone_may_see(_: Visibility, __: str | None) -> bool:
    """For callers who decide for themselves whom they show what they get."""
    return True


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image whose facts are at hand."""

    key: ImageKey
    facts: Facts


class ManifestMethods(UrlMethods):
    """Manifests of stored images; in those of private images every URL is signed."""

    async def get_manifest(self, s3_key: str, *, sizes: str | None = None) -> Manifest:
        """All that a page needs to show the image; `sizes` replaces the hint of how wide it is shown.

        Raises:
            ImageNotFound: there is none.
            InvalidRequest: `sizes` is too long or not printable.
            S3InvalidCredentials: it is private, and there are no credentials to sign with.
        """
        manifest = (await self.get_manifests([s3_key], sizes=sizes))[s3_key]
        if manifest is None:
            raise ImageNotFound
        return manifest

    async def get_manifests(
        self, s3_keys: Iterable[str], *, sizes: str | None = None, may_see: MaySee = everyone_may_see
    ) -> dict[str, Manifest | None]:
        """The manifest of each of up to 100 images, None where there is none; in the order of the keys.

        `may_see` is asked with an image's visibility and owner; one that it denies is None, as if it were not there.

        Raises:
            TooManyFiles: more than 100 keys.
            InvalidImageKey: one of them is no key, the detail says which; nothing is looked up then.
            InvalidRequest: `sizes` is too long or not printable.
            S3Error: the store failed for one of them.
        """
        shown_sizes = check_sizes(sizes)
        asked = list(_at_most(s3_keys, MAX_MANIFESTS))
        keys = dict(zip(asked, self.parse_keys(asked), strict=True))
        found = await self._find_objects(keys.values())
        seen = [
            KnownImage(key, Facts.from_metadata(stored.metadata))
            for key, stored in found.items()
            if may_see(self.visibility_of(key), owner_of(key, stored))
        ]
        manifests = await self.build_manifests(seen, sizes=shown_sizes)
        return {s3_key: manifests.get(key) for s3_key, key in keys.items()}

    async def manifest_of(self, key: ImageKey, facts: Facts, *, sizes: str | None = None) -> Manifest:
        """As `build_manifests`, of one image."""
        return (await self.build_manifests([KnownImage(key, facts)], sizes=sizes))[key]

    async def describe(self, key: ImageKey, stored: StoredObject, *, sizes: str | None = None) -> StoredImage:
        """An image as its object describes it, with its manifest."""
        manifest = await self.manifest_of(key, Facts.from_metadata(stored.metadata), sizes=sizes)
        return describe_stored(
            key, stored, self.type_name(key), self.visibility_of(key), self.parts.urls, manifest=manifest
        )

    async def build_manifests(
        self, images: Iterable[KnownImage], *, sizes: str | None = None
    ) -> Mapping[ImageKey, Manifest]:
        """The manifests of images whose facts are at hand; without network.

        Raises:
            InvalidRequest: `sizes` is too long or not printable.
            S3InvalidCredentials: one is private, and there are no credentials to sign with.
        """
        shown_sizes = check_sizes(sizes)
        known = list(images)
        urls = await self._urls_of(known)
        return {
            image.key: build_manifest(
                image.key,
                image.facts,
                urls=urls[image.key],
                visibility=self.visibility_of(image.key).value,
                sizes=shown_sizes,
            )
            for image in known
        }

    async def _urls_of(self, images: list[KnownImage]) -> dict[ImageKey, ManifestUrls]:
        object_keys = {image.key: object_keys_of(image.key, image.facts) for image in images}
        private = [key for key in object_keys if self.visibility_of(key) is Visibility.PRIVATE]
        # The first signature may make a client, which reads files: not on the event loop.
        signed = await asyncio.to_thread(self._sign, {key: object_keys[key] for key in private}) if private else {}
        public_url = self.parts.urls.public_url
        return {
            key: signed.get(key) or ManifestUrls({each: public_url(each) for each in names})
            for key, names in object_keys.items()
        }

    def _sign(self, object_keys: Mapping[ImageKey, list[str]]) -> dict[ImageKey, ManifestUrls]:
        every = [name for names in object_keys.values() for name in names]
        urls, expires_at = self.stable_object_urls(every)
        by_object_key = dict(zip(every, urls, strict=True))
        return {key: ManifestUrls(by_object_key, expires_at) for key in object_keys}

    async def _find_objects(self, keys: Iterable[ImageKey]) -> dict[ImageKey, StoredObject]:
        """The objects that are there, by a bounded number of HEADs at a time."""
        gate = asyncio.Semaphore(HEADS_AT_ONCE)

        async def find(key: ImageKey) -> StoredObject | None:
            async with gate:
                return await self.parts.store.head(str(key))

        failed: Exception | None = None
        try:
            async with store_time(self.parts.store_timeout_seconds), asyncio.TaskGroup() as group:
                tasks = {key: group.create_task(find(key)) for key in keys}
        except ExceptionGroup as failures:
            # One is enough to know; the others were cancelled with it or say the same.
            failed = failures.exceptions[0]
        if failed:
            raise failed
        return {key: stored for key, task in tasks.items() if (stored := task.result()) is not None}


def _at_most(s3_keys: Iterable[str], most: int) -> list[str]:
    named = list(islice(s3_keys, most + 1))
    if len(named) > most:
        raise TooManyFiles(f"At most {most} keys in one call.")
    return named
