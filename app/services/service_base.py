"""What the parts of the image service share: the wired parts, and what a key tells."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property

from app.core.exceptions import ImageNotFound, InvalidImageKey, InvalidImageType
from app.core.image_types import ImageType, Visibility
from app.images.keys import ImageKey, parse_image_key
from app.services.placing import roots_of
from app.services.protocols import StoredObject
from app.services.wiring import Wiring


class ServiceBase:
    """Safe for threads and tasks; the parts are wired at the first use."""

    def __init__(self, wire: Callable[[], Wiring]) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._parts: Wiring | None = None

    @property
    def parts(self) -> Wiring:
        """The wired parts.

        Raises:
            ConfigurationError: the settings are wrong.
        """
        if self._parts is None:
            with self._lock:
                if self._parts is None:
                    self._parts = self._wire()
        return self._parts

    def parse_key(self, s3_key: str) -> ImageKey:
        """The parts of a key of a known image type.

        Raises:
            InvalidImageKey: anything else.
        """
        if not isinstance(s3_key, str):
            raise InvalidImageKey
        return parse_image_key(s3_key, prefixes=self._roots)

    @cached_property
    def _roots(self) -> frozenset[str]:
        return frozenset(roots_of(self.parts.types.values()))

    def type_name(self, key: ImageKey) -> str:
        """The name of the key's image type."""
        return next(name for name, kind in self.parts.types.items() if kind.prefix == key.prefix)

    def visibility_of(self, key: ImageKey) -> Visibility:
        """Who may see the image: told by its key alone, without network."""
        return Visibility.PRIVATE if key.is_private else self.parts.types[self.type_name(key)].visibility

    def find_type(self, name: str) -> ImageType:
        """The image type of this name.

        Raises:
            InvalidImageType: there is none.
        """
        kind = self.parts.types.get(name)
        if kind is None:
            raise InvalidImageType(f"There is no such image type; known are: {', '.join(self.parts.types)}.")
        return kind

    async def head(self, key: ImageKey) -> StoredObject:
        """The stored object's own description.

        Raises:
            ImageNotFound: there is none.
        """
        stored = await self.parts.store.head(str(key))
        if stored is None:
            raise ImageNotFound
        return stored
