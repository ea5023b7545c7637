"""The line between use cases and I/O: small Protocols, what they guarantee and which errors they raise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from app.images.recipes import Recipe, TransformedImage
from app.images.records import RenderedImage, RenderPlan, Rendition, Structure

MAX_LIST_KEYS = 1000
# The metadata by which a store tells its own write from another one of the same bytes under the same key.
WRITE_ID = "write-id"


def ignore_variant(_: Rendition) -> None:
    """For callers who wait for the whole result."""


class KeyTaken(Exception):
    """Another write owns this key. It never leaves the services: the caller draws another key."""


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object to be written whole. Metadata is ASCII and at most 2 KB in all."""

    key: str
    body: bytes
    content_type: str
    cache_control: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store describes it; `etag` is quoted, as in HTTP, and is no digest of anything."""

    key: str
    size: int
    etag: str
    content_type: str
    cache_control: str | None
    last_modified: datetime
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ListedObject:
    """What a listing tells of an object."""

    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes `first` to `last`, both included, counted from 0."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class ObjectStream:
    """An object being read: its description, then its bytes. Closing `chunks` early frees the connection."""

    object: StoredObject
    chunks: AsyncGenerator[bytes, None]


class ObjectStore(Protocol):
    """Objects by key, as S3 means them. Every call ends within the store's total time-out.

    All methods raise `S3ConnectionFailed` and `S3Unavailable` (repeat later), `S3AccessDenied`, `S3BucketNotFound`,
    `S3InvalidCredentials`, `S3ClockSkewed`, `S3WrongRegion` (repeating does not help).
    """

    async def create(self, new: NewObject) -> str:
        """The whole object is stored under a key that was free, or nothing is; the object's ETag.

        Of two concurrent creators of one key exactly one succeeds. A lost answer is resolved: our own object counts
        as success. A caller that was cancelled or ran out of time leaves nothing behind, except when the store hung and
        carries the write out after everyone has stopped asking: then a whole object appears that nobody was told of.

        Raises:
            KeyTaken: another write owns the key.
            S3UploadFailed: the store refused the object.
        """
        ...

    async def head(self, key: str) -> StoredObject | None:
        """The description of an object, or None only when the store says that there is none."""
        ...

    async def get(self, key: str, byte_range: ByteRange | None = None) -> ObjectStream:
        """The object's bytes, or those of a range that lies within it; exactly as many as announced, or an error.

        Raises:
            ImageNotFound: the store says that there is none.
            RangeNotSatisfiable: the range begins behind the last byte.
            S3ConnectionFailed: also while reading: the bytes ended early, came damaged or too slowly.
            S3DownloadFailed: the store refused.
        """
        ...

    async def delete(self, key: str) -> None:
        """The object is gone; also when there was none.

        Raises:
            S3DeleteFailed: the store refused.
        """
        ...

    async def list(self, prefix: str, *, start_after: str = "", limit: int = MAX_LIST_KEYS) -> list[ListedObject]:
        """Up to `limit` (1 to 1,000) objects whose key begins with `prefix`, in key order, from after `start_after` on.

        Fewer than `limit` means that there are no more. The order is the store's own; within names of one folder
        that use only digits, lower-case letters, `_` and `.`, it is ASCII order on every store.

        Raises:
            S3ListFailed: the store refused.
        """
        ...

    async def check_bucket(self) -> None:
        """Returns when the store answers for the bucket."""
        ...


class UrlSigner(Protocol):
    """URLs of objects, made without network."""

    def public_url(self, key: str) -> str:
        """The URL that anyone may fetch if the bucket's policy lets them; each path segment percent-encoded."""
        ...

    def presigned_url(self, key: str, *, expires_in: int) -> str:
        """A URL that grants one GET of this key for `expires_in` seconds (1 to 604,800), by SigV4.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        ...

    def presigned_urls(self, keys: Iterable[str], *, expires_in: int, signed_at: datetime | None = None) -> list[str]:
        """The presigned URLs of many keys, in their order; equal arguments and credentials give equal URLs.

        They are valid from `signed_at` (None: now) for `expires_in` seconds.

        Raises:
            S3InvalidCredentials: no credentials to sign with.
        """
        ...


class ImageProcessor(Protocol):
    """Decodes untrusted pictures and renders what is stored."""

    async def render(
        self,
        structure: Structure,
        *,
        file_size: int,
        plan: RenderPlan,
        on_variant: Callable[[Rendition], None] = ignore_variant,
        waited_seconds: float = 0.0,
    ) -> RenderedImage:
        """The stored picture and its variants: upright, sRGB, 8 bit, without metadata, never larger than what was sent.

        The original has at most `file_size` bytes and no side over `plan.max_side_pixels`. `on_variant` is called on
        the event loop with each variant as soon as it is finished, in any order; a render that fails may have called
        it. The result holds them all, in the plan's order. The event loop stays free.

        `waited_seconds`, the time for which the caller has kept this picture waiting, counts against what one picture
        may take.

        Raises:
            ImageTruncated: the picture's data ends early.
            ImageCorrupt: it cannot be decoded. Repeating does not help.
            ImageTooComplex: it took more time or memory than one picture may.
            ProcessingOverloaded: too many pictures are waiting; repeat later.
        """
        ...

    async def transform(
        self,
        structure: Structure,
        recipe: Recipe,
        *,
        overlay: Structure | None = None,
        waited_seconds: float = 0.0,
    ) -> TransformedImage:
        """One stored picture made into another as the recipe says, in `recipe.format` and of `recipe.size`.

        `structure` is the picture whose upright size is `recipe.source`; `overlay` the watermark where the recipe has
        one. The result is free of metadata. The event loop stays free; `waited_seconds` as in `render`.

        Raises:
            ImageTruncated, ImageCorrupt: the picture cannot be decoded. Repeating does not help.
            ImageTooComplex: it took more time or memory than one picture may.
            ProcessingOverloaded: too many pictures are waiting; repeat later.
        """
        ...

    def close(self) -> None:
        """Ends worker processes and threads; what is being rendered fails. It can be used again afterwards."""
        ...
