"""The use cases: upload, download, exists, metadata, delete, list, URLs. Knows protocols only, no vendor."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from app.core.exceptions import S3ConnectionFailed
from app.core.image_types import Visibility
from app.images.facts import Facts
from app.images.focal_points import parse_focal_point
from app.images.keys import parse_user_id
from app.services.batches import upload_each
from app.services.deletion import delete_image_objects
from app.services.grant_methods import GrantMethods
from app.services.img_methods import ImgMethods
from app.services.listing import list_page
from app.services.manifest_methods import ManifestMethods
from app.services.moving import move_image
from app.services.new_images import facts_of_upload, render_upload
from app.services.placing import check_owner_of_place, choose_visibility, lies_apart, list_roots, sibling_of
from app.services.protocols import ByteRange, ObjectStream, StoredObject
from app.services.results import ImagePage, StoredImage, UploadOutcome, UploadResult
from app.services.store_time import store_time
from app.services.stored_images import describe_listed, describe_uploaded
from app.services.sweeping import DEFAULT_AGE, Garbage, Removal, SweepReport, plan_sweep, sweep_variants
from app.services.upload_sources import UploadSource, name_of
from app.services.variant_storing import storing_image
from app.services.wiring import Wiring

MAX_PAGE = 1000


class ImageService(ImgMethods, GrantMethods, ManifestMethods):
    """Images in a bucket. Safe for threads and tasks; the parts are wired at the first use.

    Every method that takes an `s3_key` raises `InvalidImageKey` for anything that is not a key of a known image type,
    and the errors of the store (`S3Error`) where it asks the store.
    """

    async def upload_image(
        self,
        file: UploadSource,
        image_type: str,
        user_id: int | str | None = None,
        *,
        owner: str | None = None,
        file_name: str | None = None,
        focal_point: tuple[float, float] | None = None,
        visibility: str | None = None,
    ) -> UploadResult:
        """Checks a picture, makes it small, safe and upright, and stores it with its variants: all of it, or nothing.

        `owner` (default: the user id) is kept with the object and decides who may delete it. `file_name` replaces the
        name that the file claims. `focal_point` is what crops keep in view: fractions of the upright width and height,
        from the top left. `visibility` ("public", "private"; None: the type's own) may close a single image of a public
        type, never open one of a private type. A private image in a user's folder has no other owner.

        Raises:
            InvalidImageType, InvalidUserId, InvalidRequest, ImageError: the input; repeating does not help.
            ProcessingOverloaded: too many pictures are waiting; repeat later.
            S3Error: the store; `retryable` says whether repeating helps.
        """
        parts, kind = self.parts, self.find_type(image_type)
        folder_user = None if user_id is None else parse_user_id(user_id)
        image_owner = folder_user if owner is None else parse_user_id(owner)
        focus = None if focal_point is None else parse_focal_point(focal_point)
        plan = replace(parts.plans[image_type], focal_point=focus)
        seen_by = choose_visibility(kind, visibility)
        check_owner_of_place(seen_by, folder_user, image_owner)
        async with storing_image(parts, kind, folder_user, visibility=seen_by) as storing:
            upload = await render_upload(parts, file, kind, plan=plan, on_variant=storing.add)
            facts = facts_of_upload(
                upload,
                image_type=image_type,
                owner=image_owner,
                file_name=file_name if file_name is not None else name_of(file),
                focal_point=focus,
                uploaded_at=storing.created_at,
            )
            key, etag = await storing.commit(upload.picture, facts)
            manifest = await self.manifest_of(key, facts)
        return describe_uploaded(
            key, etag, facts, file_size=len(upload.picture.body), urls=parts.urls, manifest=manifest
        )

    async def upload_images(
        self,
        files: Iterable[UploadSource],
        image_type: str,
        user_id: int | str | None = None,
        *,
        owner: str | None = None,
        focal_point: tuple[float, float] | None = None,
        visibility: str | None = None,
        concurrency: int = 4,
    ) -> list[UploadOutcome]:
        """An outcome per file, in the files' order; one failure never loses the others. The options are for all."""

        async def upload(file: UploadSource) -> UploadResult:
            return await self.upload_image(
                file, image_type, user_id, owner=owner, focal_point=focal_point, visibility=visibility
            )

        # More at once would wait for one another, and be refused for that.
        return await upload_each(files, upload, concurrency=min(concurrency, self.parts.slots.count))

    async def download_image(self, s3_key: str) -> bytes:
        """The stored picture, whole and as it was written.

        Raises:
            ImageNotFound: there is none.
            S3ConnectionFailed: it did not arrive whole and in time; repeating may help.
        """
        async with self.open_image(s3_key) as stream:
            content = b"".join([chunk async for chunk in stream.chunks])
        expected = Facts.from_metadata(stream.object.metadata).sha256
        if expected and hashlib.sha256(content).hexdigest() != expected:
            raise S3ConnectionFailed("The image arrived damaged.", cause={"operation": "GetObject"})
        return content

    @asynccontextmanager
    async def open_image(self, s3_key: str, byte_range: ByteRange | None = None) -> AsyncIterator[ObjectStream]:
        """The stored picture, or a range of it, as a stream of chunks that is closed with the block.

        Raises:
            ImageNotFound: there is none.
        """
        stream = await self.parts.store.get(str(self.parse_key(s3_key)), byte_range)
        async with aclosing(stream.chunks):
            yield stream

    async def image_exists(self, s3_key: str) -> bool:
        """True or False as the store says; a store that refuses or fails raises, it never means False."""
        return await self.parts.store.head(str(self.parse_key(s3_key))) is not None

    async def get_image_metadata(self, s3_key: str, *, sizes: str | None = None) -> StoredImage:
        """The image's facts, by one HEAD; `sizes` as in `get_manifest`.

        Raises:
            ImageNotFound: there is none.
            InvalidRequest: `sizes` is too long or not printable.
        """
        key = self.parse_key(s3_key)
        return await self.describe(key, await self.head(key), sizes=sizes)

    async def find_object(self, s3_key: str) -> StoredObject:
        """The stored object's own description.

        Raises:
            ImageNotFound: there is none.
        """
        return await self.head(self.parse_key(s3_key))

    async def delete_image(self, s3_key: str) -> bool:
        """True: it was there and is gone, its variants too. False: there was none; leftover variants go even so."""
        key = self.parse_key(s3_key)
        try:
            async with store_time(self.parts.store_timeout_seconds):
                return await delete_image_objects(self.parts.store, key, invalidator=self.parts.invalidator)
        finally:
            self.delivery.forget(key)

    async def set_visibility(self, s3_key: str, visibility: str) -> StoredImage:
        """The image, public or private from now on, with its key of today: `private/` stands before it or not.

        The old key is gone then. Repeated after a failure, with either key, it ends what was begun; results of
        transforms are made anew. An image that is deleted while it moves may be there afterwards.

        Raises:
            ImageNotFound: there is none.
            InvalidRequest: a public image of a private type; a private one in the folder of another than its owner.
            S3Error: the store failed; the image is whole, at one of its keys or at both.
        """
        key = self.parse_key(s3_key)
        kind = self.parts.types[self.type_name(key)]
        wanted = choose_visibility(kind, visibility)
        target = replace(key, is_private=lies_apart(kind, wanted))
        if kind.visibility is Visibility.PRIVATE:
            return await self.get_image_metadata(str(target))
        try:
            stored = await move_image(self.parts, key, target, wanted)
        finally:
            for place in (target, sibling_of(target)):
                self.delivery.forget(place)
        return await self.describe(target, stored)

    async def sweep_variants(
        self,
        *,
        older_than: timedelta = DEFAULT_AGE,
        garbage: Iterable[Garbage] = (Garbage.ORPHANS,),
        removal: Removal = Removal.DELETE,
    ) -> SweepReport:
        """Deletes variants whose image is gone, also those that a broken upload left, and those of old specs if asked.

        Images younger than `older_than` (one hour at least) are left alone. Idempotent; ended early it can be repeated.

        Raises:
            InvalidRequest: `older_than` is too short.
            S3Error: the store refused or failed; nothing is deleted of which it did not say that its image is gone.
        """
        sweep = plan_sweep(self.parts, older_than=older_than, garbage=garbage, removal=removal)
        return await sweep_variants(self.parts.store, sweep, invalidator=self.parts.invalidator)

    async def list_images(
        self,
        image_type: str | None = None,
        user_id: int | str | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
        visibility: str | None = None,
    ) -> ImagePage:
        """One page of images. Of one user: newest last. Of all: type by type (private ones after public ones), owner by
        owner, newest last within each.

        A cursor stays valid whatever is added or deleted meanwhile. `visibility="public"` leaves out what is private.

        Raises:
            InvalidRequest: another visibility.
            InvalidCursor: not a cursor of this service.
        """
        kinds = list(self.parts.types.values()) if image_type is None else [self.find_type(image_type)]
        folder_user = None if user_id is None else parse_user_id(user_id)
        roots = list_roots(kinds, visibility)
        async with store_time(self.parts.store_timeout_seconds):
            page = await list_page(
                self.parts.store, roots, folder_user, limit=max(1, min(limit, MAX_PAGE)), cursor=cursor
            )
        images = [describe_listed(key, listed, self.type_name(key), self.parts.urls) for key, listed in page.entries]
        return {"images": images, "next_cursor": page.next_cursor}

    async def check_ready(self) -> None:
        """Returns when the bucket answers."""
        await self.parts.store.check_bucket()


def _wire_from_settings() -> Wiring:
    # The one import against the layers: it lets callers write `from app.services.image_service import image_service`.
    from app.bootstrap import wire_default

    return wire_default()


image_service = ImageService(_wire_from_settings)
