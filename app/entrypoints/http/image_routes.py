"""Images: upload one or several, list, describe, delete."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.datastructures import UploadFile

from app.core.config import Settings
from app.core.exceptions import ImageNotFound
from app.core.image_types import Visibility
from app.entrypoints.http.authentication import current_caller
from app.entrypoints.http.authorization import (
    check_known,
    check_may_ask,
    check_may_change,
    check_may_read,
    choose_listing,
    choose_upload_place,
    owns,
)
from app.entrypoints.http.caller import Caller
from app.entrypoints.http.client_presence import finish_while_client_waits
from app.entrypoints.http.conditions import is_unchanged
from app.entrypoints.http.error_handlers import describe
from app.entrypoints.http.json_body import json_body, json_limits, read_json
from app.entrypoints.http.key_path import KEY_PATH, KeyParameter
from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.request_body import (
    BodyLimits,
    find_focal_point,
    find_text,
    reading_form,
    require_files,
    require_text,
)
from app.entrypoints.http.upload_docs import ETAG_HEADER, NOT_MODIFIED, OPTIONAL_TOKEN, UPLOAD_HEADERS, upload_body
from app.images.keys import ImageKey, encode_key
from app.schemas.grants import ImageChange
from app.schemas.images import EXAMPLE_CURSOR, BatchOutcomes, ImageDescription, ImagePage, UploadedImage
from app.services import results
from app.services.image_service import MAX_PAGE, ImageService
from app.services.placing import roots_of, sibling_of
from app.services.stored_images import owner_of

TheCaller = Annotated[Caller, Depends(current_caller)]

_VARY = {"Vary": "Authorization"}


class ImageRoutes:
    """The endpoints under `/images`."""

    def __init__(self, service: ImageService, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    def add_to(self, router: APIRouter) -> None:
        """Registers the endpoints."""
        self._add_collection(router)
        self._add_single_image(router)

    def _add_collection(self, router: APIRouter) -> None:
        types = list(self._service.parts.types)
        router.add_api_route(
            "/images",
            self.upload_image,
            methods=["POST"],
            status_code=201,
            response_model=UploadedImage,
            responses={**problem_answers(400, 401, 403, 408, 413, 415, 422), 201: UPLOAD_HEADERS},
            openapi_extra={"requestBody": upload_body(types, file_field="file")},
        )
        router.add_api_route(
            "/images/batch",
            self.upload_images,
            methods=["POST"],
            response_model=BatchOutcomes,
            response_model_exclude_unset=True,
            responses=problem_answers(400, 401, 403, 408, 413, 422),
            openapi_extra={"requestBody": upload_body(types, file_field="files", most=self._settings.max_batch_files)},
        )
        router.add_api_route(
            "/images",
            self.list_images,
            methods=["GET"],
            response_model=ImagePage,
            responses=problem_answers(400, 401, 403, 422),
        )

    def _add_single_image(self, router: APIRouter) -> None:
        router.add_api_route(
            f"/images/{KEY_PATH}",
            self.describe_image,
            methods=["GET"],
            response_model=ImageDescription,
            responses={**problem_answers(400, 401, 403, 404, 422), 200: ETAG_HEADER, 304: NOT_MODIFIED},
            openapi_extra=OPTIONAL_TOKEN,
        )
        router.add_api_route(
            f"/images/{KEY_PATH}",
            self.find_image,
            methods=["HEAD"],
            response_class=Response,
            responses={**problem_answers(400, 401, 403, 404, 422), 200: ETAG_HEADER},
            openapi_extra=OPTIONAL_TOKEN,
        )
        router.add_api_route(
            f"/images/{KEY_PATH}",
            self.change_image,
            methods=["PATCH"],
            response_model=ImageDescription,
            responses=problem_answers(400, 401, 403, 404, 408, 413, 422),
            openapi_extra={"requestBody": json_body(ImageChange)},
        )
        router.add_api_route(
            f"/images/{KEY_PATH}",
            self.delete_image,
            methods=["DELETE"],
            status_code=204,
            response_class=Response,
            responses=problem_answers(400, 401, 403, 404, 422),
        )

    async def upload_image(self, request: Request, response: Response, caller: TheCaller) -> results.UploadResult:
        """Stores one picture, made small, upright and free of metadata.

        Without `user_id` it goes under the caller's own id, or, for admins, under none. The answer lists the variants
        that were made; crops among them keep the focal point in view.
        """
        check_known(caller)
        # Before the body is read: nobody waits for what is refused anyway.
        self._service.parts.slots.check_room()
        async with reading_form(request, self._limits(max_files=1)) as form:
            file = require_files(form, "file")[0]
            image_type = require_text(form, "image_type")
            place = choose_upload_place(caller, find_text(form, "user_id"))
            upload = self._service.upload_image(
                file,
                image_type,
                place.user_id,
                owner=place.owner,
                focal_point=find_focal_point(form),
                visibility=find_text(form, "visibility"),
            )
            stored = await finish_while_client_waits(request, upload)
        response.headers["Location"] = f"{request.url.path}/{encode_key(stored['s3_key'])}"
        response.headers["ETag"] = stored["etag"]
        return stored

    async def upload_images(self, request: Request, caller: TheCaller) -> dict[str, Any]:
        """Stores several pictures; each has an outcome of its own, in the order they were sent."""
        check_known(caller)
        self._service.parts.slots.check_room()
        async with reading_form(request, self._limits(max_files=self._settings.max_batch_files)) as form:
            files: list[UploadFile] = require_files(form, "files")
            image_type = require_text(form, "image_type")
            place = choose_upload_place(caller, find_text(form, "user_id"))
            uploads = self._service.upload_images(
                files,
                image_type,
                place.user_id,
                owner=place.owner,
                focal_point=find_focal_point(form),
                visibility=find_text(form, "visibility"),
            )
            outcomes = await finish_while_client_waits(request, uploads)
        return {"outcomes": [self._describe_outcome(request, outcome) for outcome in outcomes]}

    async def list_images(
        self,
        caller: TheCaller,
        image_type: Annotated[str | None, Query(description="Only this type.", examples=["user"])] = None,
        user_id: Annotated[str | None, Query(description="Only this user's.", examples=["123"])] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Images per page.", examples=[20])] = 100,
        cursor: Annotated[str | None, Query(description="Of the page before.", examples=[EXAMPLE_CURSOR])] = None,
    ) -> results.ImagePage:
        """One page of images. Cursors stay valid whatever is added or deleted meanwhile.

        One user's images come newest last; everyone's (no `user_id`) type by type, owner by owner, newest last in each,
        single private ones after the public ones of their type.
        """
        scope = choose_listing(caller, image_type or None, user_id or None, self._service.parts.types)
        return await self._service.list_images(
            image_type or None, scope.user_id, limit=limit, cursor=cursor or None, visibility=scope.visibility
        )

    async def describe_image(
        self,
        s3_key: KeyParameter,
        request: Request,
        response: Response,
        caller: TheCaller,
        sizes: Annotated[
            str | None, Query(description="In place of `(max-width: Wpx) 100vw, Wpx`.", examples=["50vw"])
        ] = None,
    ) -> Any:
        """What is known of an image. Private images of others are not there."""
        stored = await self._get_readable(s3_key, caller, sizes=sizes)
        headers = _description_headers(stored)
        if "ETag" in headers and is_unchanged(request.headers, etag=headers["ETag"]):
            return Response(status_code=304, headers=headers)
        response.headers.update(headers)
        # Whose a public image is concerns the owner: a general upload's may be an admin's own name.
        return stored if owns(caller, stored["owner"]) else {**stored, "owner": None}

    async def find_image(self, s3_key: KeyParameter, caller: TheCaller) -> Response:
        """Whether an image is there: 200 or 404, without a body."""
        stored = await self._get_readable(s3_key, caller)
        answer = Response(headers=_description_headers(stored))
        # It would have to be that of the GET's answer, which is not made here.
        del answer.headers["content-length"]
        return answer

    async def delete_image(self, s3_key: KeyParameter, caller: TheCaller) -> Response:
        """Deletes an image and its variants: 204 when it was there, 404 when there was none."""
        check_known(caller)
        key = self._service.parse_key(s3_key)
        try:
            stored = await self._service.find_object(s3_key)
        except ImageNotFound:
            # A delete that was cut short leaves variants; with the image its metadata went, so the folder says whose.
            if owns(caller, key.user_id):
                await self._service.delete_image(s3_key)
            raise
        check_may_change(caller, self._service.visibility_of(key), owner_of(key, stored))
        await self._service.delete_image(s3_key)
        return Response(status_code=204)

    async def change_image(self, s3_key: KeyParameter, request: Request, caller: TheCaller) -> results.StoredImage:
        """Makes an image private, or public again. It moves: the answer has its new `s3_key`; the old one is gone.

        Repeated after a failure it ends what was begun. For its owner and admins only.
        """
        check_known(caller)
        change = await read_json(request, ImageChange, limits=json_limits(self._settings))
        key = await self._find_moved(self._service.parse_key(s3_key))
        stored = await self._service.find_object(str(key))
        check_may_change(caller, self._service.visibility_of(key), owner_of(key, stored))
        return await self._service.set_visibility(str(key), change.visibility)

    async def _find_moved(self, key: ImageKey) -> ImageKey:
        """The key itself, or, where nothing is at it, the one that the image has since its visibility was changed."""
        sibling = sibling_of(key)
        has_sibling = sibling.root in roots_of(self._service.parts.types.values())
        return sibling if has_sibling and not await self._service.image_exists(str(key)) else key

    async def _get_readable(self, s3_key: str, caller: Caller, *, sizes: str | None = None) -> results.StoredImage:
        visibility = self._service.visibility_of(self._service.parse_key(s3_key))
        check_may_ask(caller, visibility)
        stored = await self._service.get_image_metadata(s3_key, sizes=sizes)
        check_may_read(caller, visibility, stored["owner"])
        return stored

    def _limits(self, *, max_files: int) -> BodyLimits:
        parts = self._service.parts
        of_types = [kind.max_upload_bytes for kind in parts.types.values() if kind.max_upload_bytes]
        return BodyLimits(
            max_files=max_files,
            max_file_bytes=max([parts.max_upload_bytes, *of_types]),
            idle_seconds=self._settings.upload_idle_timeout_seconds,
            total_seconds=self._settings.upload_total_timeout_seconds,
        )

    def _describe_outcome(self, request: Request, outcome: results.UploadOutcome) -> dict[str, Any]:
        if outcome.error is None:
            return {"file_name": outcome.file_name, "status": 201, "image": outcome.result}
        problem = describe(outcome.error, request, debug=self._settings.debug)
        return {
            "file_name": outcome.file_name,
            "status": problem.status,
            "error": problem.model_dump(exclude_none=True),
        }


def _description_headers(stored: results.StoredImage) -> dict[str, str]:
    """Of a private image without an ETag: the signed URLs in its manifest end, so that no copy stays good."""
    if stored["visibility"] == Visibility.PRIVATE:
        return _VARY | {"Cache-Control": "private, no-store"}
    return _VARY | {"Cache-Control": "private, no-cache", "ETag": stored["etag"]}
