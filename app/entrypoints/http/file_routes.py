"""Files: the stored pictures themselves, streamed, with validators, one range, and headers that keep them pictures."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response

from app.core.image_types import Visibility
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import check_may_ask, check_may_read
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.conditions import format_date, has_conditions, is_unchanged, range_holds
from app.entrypoints.http.key_path import KEY_PATH, KeyParameter
from app.entrypoints.http.object_stream import object_stream
from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.ranges import parse_range
from app.entrypoints.http.upload_docs import NOT_MODIFIED, OPTIONAL_TOKEN
from app.images.facts import Facts
from app.images.formats import STORED_FORMATS
from app.images.grants import MAX_GRANT_CHARACTERS, GrantScope
from app.images.keys import ImageKey
from app.schemas.grants import EXAMPLE_GRANT
from app.services.image_service import ImageService
from app.services.protocols import ByteRange, StoredObject
from app.services.stored_images import owner_of

TheCaller = Annotated[Caller, Depends(current_caller)]
GrantParameter = Annotated[
    str | None,
    Query(
        max_length=MAX_GRANT_CHARACTERS,
        description="A token of `POST /grants` that opens the image.",
        examples=[EXAMPLE_GRANT],
    ),
]

_CONTENT_TYPES = {stored.extension: stored.content_type for stored in STORED_FORMATS}
# The address may hold a grant, which is nobody's to be told of.
_PRIVATE_HEADERS = {"Vary": "Authorization", "Referrer-Policy": "no-referrer"}
_PICTURE = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in _CONTENT_TYPES.values()}


class FileRoutes:
    """The endpoints under `/files`."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoints."""
        answers: dict[int | str, dict[str, Any]] = {
            **problem_answers(400, 401, 403, 404, 422),
            200: {"description": "The picture.", "content": _PICTURE},
            304: NOT_MODIFIED,
        }
        ranged = {**answers, 206: {"description": "The range.", "content": _PICTURE}, **problem_answers(416)}
        options: dict[str, Any] = {"response_class": Response, "openapi_extra": OPTIONAL_TOKEN}
        path = f"/files/{KEY_PATH}"
        router.add_api_route(path, self.get_file, methods=["GET"], responses=ranged, **options)
        router.add_api_route(path, self.head_file, methods=["HEAD"], responses=answers, **options)

    async def get_file(
        self,
        s3_key: KeyParameter,
        request: Request,
        caller: TheCaller,
        grant: GrantParameter = None,
    ) -> Response:
        """The stored picture, or one range of it. Without a grant, private pictures of others are not there."""
        key = self._service.parse_key(s3_key)
        reader = self._know_reader(key, caller, grant)
        byte_range: ByteRange | None = None
        if has_conditions(request.headers):
            stored = await self._find_readable(key, reader)
            if _is_unchanged(request, stored):
                return Response(status_code=304, headers=self._headers(key, stored, reader))
            byte_range = _find_range(request, stored)
        stream = await self._service.parts.store.get(str(key), byte_range)
        try:
            self._check_may_read(key, stream.object, reader)
        except BaseException:
            await stream.chunks.aclose()
            raise
        return await object_stream(stream, self._headers(key, stream.object, reader), byte_range)

    async def head_file(
        self, s3_key: KeyParameter, request: Request, caller: TheCaller, grant: GrantParameter = None
    ) -> Response:
        """The headers of the picture, without it."""
        key = self._service.parse_key(s3_key)
        reader = self._know_reader(key, caller, grant)
        stored = await self._find_readable(key, reader)
        headers = self._headers(key, stored, reader)
        if _is_unchanged(request, stored):
            return Response(status_code=304, headers=headers)
        return Response(headers=headers | {"Content-Length": str(stored.size)})

    def _know_reader(self, key: ImageKey, caller: Caller, grant: str | None) -> Caller | GrantScope:
        """Who reads: a caller by name, or whoever shows a grant for this image, before the store is asked for it.

        Raises:
            InvalidGrant: the grant does not open it, whoever shows it.
            ImageNotFound: it is private, and the caller is nobody in particular.
        """
        visibility = self._service.visibility_of(key)
        if grant is not None and visibility is Visibility.PRIVATE:
            return self._service.check_grant(grant, key)
        check_may_ask(caller, visibility)
        return caller

    async def _find_readable(self, key: ImageKey, reader: Caller | GrantScope) -> StoredObject:
        stored = await self._service.find_object(str(key))
        self._check_may_read(key, stored, reader)
        return stored

    def _check_may_read(self, key: ImageKey, stored: StoredObject, reader: Caller | GrantScope) -> None:
        if isinstance(reader, GrantScope):
            self._service.check_granted(reader, key, stored)
        else:
            check_may_read(reader, self._service.visibility_of(key), owner_of(key, stored))

    def _headers(self, key: ImageKey, stored: StoredObject, reader: Caller | GrantScope) -> dict[str, str]:
        visibility = self._service.visibility_of(key)
        is_open = visibility is Visibility.PUBLIC or isinstance(reader, GrantScope)
        headers = {
            # By the key, which this service wrote: the store's word could be anybody's.
            "Content-Type": _CONTENT_TYPES[key.extension],
            "ETag": stored.etag,
            "Last-Modified": format_date(stored.last_modified),
            "Accept-Ranges": "bytes",
            "Cache-Control": self._service.parts.delivery.cache_control(visibility),
            "Content-Disposition": format_disposition(_file_name(key, stored)),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            # Who has a grant may show the picture anywhere: no cookie or token of a browser opened it.
            "Cross-Origin-Resource-Policy": "cross-origin" if is_open else "same-site",
        }
        return headers | (_PRIVATE_HEADERS if visibility is Visibility.PRIVATE else {})


def format_disposition(file_name: str) -> str:
    """Shown in place, saved under this name (RFC 6266; other than ASCII by RFC 8187)."""
    plain = "".join(character if character.isascii() and character not in '"\\%' else "_" for character in file_name)
    encoded = "" if plain == file_name else f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return f'inline; filename="{plain}"{encoded}'


def _file_name(key: ImageKey, stored: StoredObject) -> str:
    """The name it was sent with; a photo sent as HEIC is a JPEG here."""
    sent = Facts.from_metadata(stored.metadata).file_name
    return f"{PurePosixPath(sent).stem}.{key.extension}" if sent else key.name


def _is_unchanged(request: Request, stored: StoredObject) -> bool:
    return is_unchanged(request.headers, etag=stored.etag, last_modified=stored.last_modified)


def _find_range(request: Request, stored: StoredObject) -> ByteRange | None:
    header = ",".join(request.headers.getlist("range"))
    if not header or not range_holds(request.headers, etag=stored.etag, last_modified=stored.last_modified):
        return None
    return parse_range(header, size=stored.size)
