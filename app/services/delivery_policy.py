"""How pictures are delivered: what the settings say of access, keys, negotiation, caching and windows, as values."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.config import Settings
from app.core.delivery_settings import AvifChoice, DeliveryAccess, DeliveryAnswer
from app.core.image_types import Visibility

IMG_PREFIX = "/img"
PUBLIC_CACHE_SECONDS = 31_536_000


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Times in seconds. `keys` sign `/img` URLs and grants: the first one signs, all verify.

    `access` is never `auto`. `base_url` stands before `/img/`; it is empty where URLs begin at the host's root.
    """

    access: DeliveryAccess = DeliveryAccess.PRESETS
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    base_url: str = ""
    answer: DeliveryAnswer = DeliveryAnswer.STREAM
    avif: AvifChoice = AvifChoice.SMALL
    avif_max_pixels: int = 600_000
    fallback_key: str | None = None
    memory_seconds: float = 2.0
    private_cache_seconds: int = 0
    url_window_seconds: int = 3600

    @classmethod
    def from_settings(cls, settings: Settings) -> DeliveryPolicy:
        """The policy that the settings describe."""
        access = settings.delivery_access
        if access is DeliveryAccess.AUTO:
            access = DeliveryAccess.SIGNED if settings.delivery_keys else DeliveryAccess.PRESETS
        return cls(
            access=access,
            keys=tuple(key.get_secret_value().encode() for key in settings.delivery_keys),
            base_url=settings.delivery_base_url or "",
            answer=settings.delivery_answer,
            avif=settings.delivery_avif,
            avif_max_pixels=settings.delivery_avif_max_pixels,
            fallback_key=settings.delivery_fallback_key,
            memory_seconds=settings.delivery_memory_seconds,
            private_cache_seconds=settings.private_cache_seconds,
            url_window_seconds=settings.url_window_seconds,
        )

    def cache_control(self, visibility: Visibility, *, seconds_left: float | None = None) -> str:
        """What caches may do with a picture, for at most `seconds_left` where its URL ends then."""
        if visibility is Visibility.PUBLIC:
            if seconds_left is None or seconds_left >= PUBLIC_CACHE_SECONDS:
                return f"public, max-age={PUBLIC_CACHE_SECONDS}, immutable"
            return f"public, max-age={int(seconds_left)}"
        seconds = self.private_cache_seconds
        if seconds_left is not None:
            seconds = min(seconds, int(seconds_left))
        return f"private, max-age={seconds}" if seconds > 0 else "private, no-store"
