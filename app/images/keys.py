"""The key grammar, built and parsed here and nowhere else.

    {types}/{user_id}/{YYYYMMDD_HHMMSS}_{8 of a-z0-9}.{ext}      users/123/20241201_143022_a1b2c3d4.jpg
    {types}/{YYYYMMDD_HHMMSS}_{8 of a-z0-9}.{ext}                properties/20241201_143022_e5f6g7h8.jpg
    private/{either of these}                                    private/users/123/20241201_143022_a1b2c3d4.jpg

Single private images of a public type lie under `private/`, which no bucket policy opens; images of a private type are
private where they are. What comes before user and name is an image's root: `users`, `private/users`.

Names sort by time, so a store's listing of one folder is newest last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from app.core.exceptions import InvalidImageKey, InvalidUserId
from app.images.formats import STORED_FORMATS

MAX_USER_ID_CHARACTERS = 64
TOKEN_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"  # noqa: S105 - letters to draw from, not a secret
TOKEN_LENGTH = 8
VARIANTS_PREFIX = "variants/"
INCOMING_PREFIX = "incoming/"
PRIVATE_PREFIX = "private/"
PENDING_PREFIX = "pending/"
MAX_KEY_CHARACTERS = 200

_EXTENSIONS = "|".join(image_format.extension for image_format in STORED_FORMATS)
_NAME = re.compile(rf"(\d{{8}}_\d{{6}})_([a-z0-9]{{{TOKEN_LENGTH}}})\.({_EXTENSIONS})", re.ASCII)


@dataclass(frozen=True, slots=True)
class ImageKey:
    """One image's place in the bucket; `str()` gives the key itself.

    `is_private` tells of single images of a public type; those of a private type do without.
    """

    prefix: str
    user_id: str | None
    created_at: datetime
    token: str
    extension: str
    is_private: bool = False

    def __str__(self) -> str:
        return f"{self.folder}{self.name}"

    @property
    def folder(self) -> str:
        """The prefix to list for this image's neighbours; ends with `/`, so `users/1/` never matches `users/10/`."""
        return folder_of(self.root, self.user_id)

    @property
    def root(self) -> str:
        """The type's prefix, with `private/` before it where the image is kept apart; no `/` at its end."""
        return f"{PRIVATE_PREFIX}{self.prefix}" if self.is_private else self.prefix

    @property
    def name(self) -> str:
        at = self.created_at
        parts = (at.year, at.month, at.day, at.hour, at.minute, at.second)
        # A page has hundreds of keys, and `strftime` takes four times as long.
        return "%04d%02d%02d_%02d%02d%02d_%s.%s" % (*parts, self.token, self.extension)  # noqa: UP031 - half of an f-string

    @property
    def stem(self) -> str:
        """The key without its extension."""
        return str(self).removesuffix(f".{self.extension}")

    @property
    def variants_prefix(self) -> str:
        """Where everything derived from this image lies; ends with `/`."""
        return f"{VARIANTS_PREFIX}{self.stem}/"


def encode_key(key: str) -> str:
    """The key as a URL path: each segment percent-encoded, RFC 3986 unreserved characters kept."""
    return quote(key, safe="/-._~")


def folder_of(root: str, user_id: str | None) -> str:
    """The folder of the images under a root, of one owner where given."""
    return f"{root}/" if user_id is None else f"{root}/{user_id}/"


def parse_image_key(text: str, *, prefixes: Collection[str]) -> ImageKey:
    """The parts of a key, exactly: `str(parse_image_key(text)) == text`.

    Raises:
        InvalidImageKey: not a key of this service, or under none of the `prefixes`, which are roots. Nothing outside
            them can be read, presigned or deleted.
    """
    is_private = text.startswith(PRIVATE_PREFIX)
    segments = text.removeprefix(PRIVATE_PREFIX).split("/")
    match = _NAME.fullmatch(segments[-1])
    if not match or len(text) > MAX_KEY_CHARACTERS or len(segments) not in {2, 3}:
        raise InvalidImageKey
    try:
        created_at = _parse_time(match[1])
        user_id = parse_user_id(segments[1]) if len(segments) == 3 else None
    except (ValueError, InvalidUserId):
        raise InvalidImageKey from None
    key = ImageKey(segments[0], user_id, created_at, match[2], match[3], is_private)
    if key.root not in prefixes:
        raise InvalidImageKey
    if str(key) != text:
        raise InvalidImageKey
    return key


def parse_user_id(value: int | str) -> str:
    """The user id as it stands in keys: 1 to 64 printable characters that no URL or file system reads as structure.

    Raises:
        InvalidUserId: empty, too long, or holding `/`, a backslash, `..`, unprintable or percent-encoded characters,
            space at an end.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidUserId("A user id is a text or a whole number.")
    text = str(value)
    if not 1 <= len(text) <= MAX_USER_ID_CHARACTERS:
        raise InvalidUserId(f"A user id has 1 to {MAX_USER_ID_CHARACTERS} characters.")
    if text in {".", ".."} or ".." in text or any(not _is_plain(character) for character in text):
        raise InvalidUserId("A user id holds no '/', no backslash, no '..' and only printable characters.")
    if unquote(text) != text:
        raise InvalidUserId("A user id holds no percent-encoded characters: proxies decode them.")
    if text != text.strip() or _NAME.fullmatch(text):
        raise InvalidUserId("A user id neither begins nor ends with a space, nor looks like a file of this service.")
    return text


def _parse_time(text: str) -> datetime:
    """Of YYYYMMDD_HHMMSS in digits; `strptime` would take a third of the time that a key takes."""
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:8])
    return datetime(year, month, day, int(text[9:11]), int(text[11:13]), int(text[13:]), tzinfo=UTC)


def _is_plain(character: str) -> bool:
    category = unicodedata.category(character)
    return character not in "/\\" and (category[0] not in "CZ" or character == " ")
