"""Pages of images straight from the store's listings, with cursors that survive additions and deletions."""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import dataclass
from operator import itemgetter

from app.core.exceptions import InvalidCursor, InvalidImageKey
from app.images.keys import ImageKey, folder_of, parse_image_key
from app.services.protocols import MAX_LIST_KEYS, ListedObject, ObjectStore

Entry = tuple[ImageKey, ListedObject]


@dataclass(frozen=True, slots=True)
class Page:
    """Images of one page; `next_cursor` is None when there are no more."""

    entries: list[Entry]
    next_cursor: str | None


async def list_page(
    store: ObjectStore, roots: list[str], user_id: str | None, *, limit: int, cursor: str | None
) -> Page:
    """A page of the images under these roots: one user's by time, everyone's in the order of root and key.

    Raises:
        InvalidCursor: not a cursor that a page of these roots and this user gave.
    """
    last = _parse_cursor(cursor, roots, user_id) if cursor else None
    if user_id is None:
        entries = await _list_in_turn(store, roots, last, limit + 1)
    else:
        entries = await _list_by_time(store, roots, user_id, last, limit + 1)
    if len(entries) <= limit:
        return Page(entries, None)
    return Page(entries[:limit], _format_cursor(entries[limit - 1][0]))


async def _list_in_turn(store: ObjectStore, roots: list[str], last: ImageKey | None, wanted: int) -> list[Entry]:
    entries: list[Entry] = []
    remaining = roots[roots.index(last.root) :] if last else roots
    for root in remaining:
        start_after = str(last) if last and root == last.root else ""
        entries += await _list_folder(store, f"{root}/", roots, start_after, wanted - len(entries))
        if len(entries) >= wanted:
            break
    return entries


async def _list_by_time(
    store: ObjectStore, roots: list[str], user_id: str, last: ImageKey | None, wanted: int
) -> list[Entry]:
    """The user's folders merged by name, which begins with the time; equal names in the order of the roots."""

    async def list_one(order: int, root: str) -> list[tuple[str, int, Entry]]:
        folder = folder_of(root, user_id)
        entries = await _list_folder(store, folder, roots, _resume_point(folder, order, last, roots), wanted)
        return [(entry[0].name, order, entry) for entry in entries]

    lanes = await asyncio.gather(*(list_one(order, root) for order, root in enumerate(roots)))
    merged = sorted((item for lane in lanes for item in lane), key=itemgetter(0, 1))
    return [entry for _, _, entry in merged[:wanted]]


def _resume_point(folder: str, order: int, last: ImageKey | None, roots: list[str]) -> str:
    if last is None:
        return ""
    if order <= roots.index(last.root):
        return f"{folder}{last.name}"
    # The same name in a later folder is still to come: a name without its last letter sorts just before it.
    return f"{folder}{last.name[:-1]}"


async def _list_folder(store: ObjectStore, prefix: str, roots: list[str], start_after: str, wanted: int) -> list[Entry]:
    """Up to `wanted` images; objects in the folder that are no images of ours are passed over."""
    entries: list[Entry] = []
    while len(entries) < wanted:
        listed = await store.list(prefix, start_after=start_after)
        for item in listed:
            try:
                entries.append((parse_image_key(item.key, prefixes=roots), item))
            except InvalidImageKey:
                continue
        if len(listed) < MAX_LIST_KEYS:
            break
        start_after = listed[-1].key
    return entries[:wanted]


def _format_cursor(key: ImageKey) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _parse_cursor(cursor: str, roots: list[str], user_id: str | None) -> ImageKey:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        key = parse_image_key(text, prefixes=roots)
    except (binascii.Error, ValueError, InvalidImageKey):
        raise InvalidCursor from None
    if user_id is not None and key.user_id != user_id:
        raise InvalidCursor
    return key
