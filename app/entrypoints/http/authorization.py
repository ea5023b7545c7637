"""Who may what. Pure rules: they are asked with what is known and raise where the answer is no."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.exceptions import AccessForbidden, AuthenticationRequired, ImageNotFound
from app.core.image_types import ImageTypes, Visibility
from app.entrypoints.http.caller import Caller
from app.images.keys import parse_user_id


@dataclass(frozen=True, slots=True)
class UploadPlace:
    """Where an upload goes, None for general uploads, and whose it is."""

    user_id: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class ListingScope:
    """Whose images may be listed (None: everyone's) and of which visibility (None: all)."""

    user_id: str | None
    visibility: Visibility | None


def check_known(caller: Caller) -> None:
    """Returns when the caller has said who they are.

    Raises:
        AuthenticationRequired: they have not.
    """
    if caller.is_anonymous:
        raise AuthenticationRequired


def choose_upload_place(caller: Caller, user_id: str | None) -> UploadPlace:
    """Users upload under their own id, also without naming it; admins under any, or under none.

    Raises:
        AuthenticationRequired, AccessForbidden, InvalidUserId: what they asked for is not theirs.
    """
    check_known(caller)
    named = None if user_id is None else parse_user_id(user_id)
    if caller.is_admin:
        return UploadPlace(named, owner=named or caller.user_id)
    if named not in {None, caller.user_id}:
        raise AccessForbidden("You may upload under your own user id only.")
    return UploadPlace(caller.user_id, owner=caller.user_id)


def choose_listing(caller: Caller, image_type: str | None, user_id: str | None, types: ImageTypes) -> ListingScope:
    """Users list what is their own, of others what is public; admins list everything.

    Raises:
        AuthenticationRequired, AccessForbidden, InvalidUserId: what they asked for is not theirs to see.
    """
    check_known(caller)
    named = None if user_id is None else parse_user_id(user_id)
    if caller.is_admin:
        return ListingScope(named, visibility=None)
    if named in {None, caller.user_id}:
        return ListingScope(caller.user_id, visibility=None)
    kind = types.get(image_type or "")
    if kind and kind.visibility is Visibility.PRIVATE:
        raise AccessForbidden("You may list your own images of this type only.")
    return ListingScope(named, visibility=Visibility.PUBLIC)


def owns(caller: Caller, owner: str | None) -> bool:
    """Whether the image is the caller's to do with as they like."""
    return caller.is_admin or (caller.user_id is not None and caller.user_id == owner)


def check_may_ask(caller: Caller, visibility: Visibility) -> None:
    """Returns when the answer may depend on whether the image is there.

    Raises:
        ImageNotFound: it is private, and the caller is nobody in particular.
    """
    if visibility is Visibility.PRIVATE and caller.is_anonymous:
        raise ImageNotFound


def check_may_read(caller: Caller, visibility: Visibility, owner: str | None) -> None:
    """Returns when the caller may see this image.

    Raises:
        ImageNotFound: it is private and somebody else's, which looks exactly as if it were not there.
    """
    if visibility is Visibility.PRIVATE and not owns(caller, owner):
        raise ImageNotFound


def check_may_change(caller: Caller, visibility: Visibility, owner: str | None) -> None:
    """Returns when the caller may delete this image, say who sees it, or open it to others.

    Raises:
        AuthenticationRequired: nobody in particular changes nothing.
        ImageNotFound: it is private and somebody else's.
        AccessForbidden: it is somebody else's.
    """
    check_known(caller)
    check_may_read(caller, visibility, owner)
    if not owns(caller, owner):
        raise AccessForbidden("Only its owner may do this with the image.")


def check_may_grant(caller: Caller, user_id: str) -> None:
    """Returns when the caller may open this user's images to others.

    Raises:
        AuthenticationRequired, AccessForbidden: they may not.
    """
    check_known(caller)
    if not owns(caller, user_id):
        raise AccessForbidden("You may open your own images only.")
