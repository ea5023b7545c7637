"""Where images lie by who may see them: the roots of image types, and what may be asked of a single image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from app.core.exceptions import InvalidRequest
from app.core.image_types import ImageType, Visibility
from app.images.keys import PRIVATE_PREFIX, ImageKey


def roots_of(kinds: Iterable[ImageType]) -> list[str]:
    """Every root under which images of these types lie, those of one type side by side."""
    return [root for kind in kinds for root in _roots_of_type(kind)]


def list_roots(kinds: Iterable[ImageType], visibility: str | None) -> list[str]:
    """The roots of images of these types, those of a visibility (`public`, `private`) where one is given.

    Raises:
        InvalidRequest: there is no such visibility.
    """
    if visibility is None:
        return roots_of(kinds)
    if parse_visibility(visibility) is Visibility.PUBLIC:
        return [kind.prefix for kind in kinds if kind.visibility is Visibility.PUBLIC]
    return [_roots_of_type(kind)[-1] for kind in kinds]


def parse_visibility(text: str) -> Visibility:
    """The visibility of this name.

    Raises:
        InvalidRequest: there is none.
    """
    if text not in set(Visibility):
        raise InvalidRequest(f"A visibility is one of: {', '.join(Visibility)}.")
    return Visibility(text)


def choose_visibility(kind: ImageType, wanted: str | None) -> Visibility:
    """What was asked for as `public` or `private`; without it, the type's own.

    Raises:
        InvalidRequest: neither of these, or a public image of a private type.
    """
    if wanted is None:
        return kind.visibility
    visibility = parse_visibility(wanted)
    if visibility is Visibility.PUBLIC and kind.visibility is Visibility.PRIVATE:
        raise InvalidRequest(
            "Images of a private type are private: a bucket's policy opens whole types, no single key."
        )
    return visibility


def check_owner_of_place(visibility: Visibility, user_id: str | None, owner: str | None) -> None:
    """Returns when the image may lie in this user's folder.

    URLs and grants for private images are made by the folder alone, without asking the store whose an image is.

    Raises:
        InvalidRequest: it is private and belongs to somebody else than the folder's user.
    """
    if visibility is Visibility.PRIVATE and user_id is not None and owner != user_id:
        raise InvalidRequest("A private image in a user's folder belongs to that user: name no other owner.")


def lies_apart(kind: ImageType, visibility: Visibility) -> bool:
    """Whether an image of this type and visibility lies under `private/`."""
    return visibility is Visibility.PRIVATE and kind.visibility is Visibility.PUBLIC


def sibling_of(key: ImageKey) -> ImageKey:
    """The key that this image of a public type would have, were its visibility the other one."""
    return replace(key, is_private=not key.is_private)


def _roots_of_type(kind: ImageType) -> list[str]:
    # A private type has one place only: two keys for one visibility would be two answers to "where is it".
    return [kind.prefix] if kind.visibility is Visibility.PRIVATE else [kind.prefix, f"{PRIVATE_PREFIX}{kind.prefix}"]
