"""`/img` in the API's documentation: its parameters and answers, which FastAPI cannot derive."""

from __future__ import annotations

from typing import Any

from app.entrypoints.http.problem_docs import problem_answers
from app.entrypoints.http.upload_docs import NOT_MODIFIED
from app.images.formats import STORED_FORMATS
from app.schemas.grants import EXAMPLE_GRANT
from app.schemas.images import EXAMPLE_KEY

_PICTURE = {stored.content_type: {"schema": {"type": "string", "format": "binary"}} for stored in STORED_FORMATS}
_LOCATION = {"Location": {"description": "Where the picture is.", "schema": {"type": "string"}}}

IMG_ANSWERS: dict[int | str, dict[str, Any]] = {
    **problem_answers(400, 403, 404, 416, 422),
    200: {"description": "The picture.", "content": _PICTURE},
    206: {"description": "The range of it.", "content": _PICTURE},
    302: {"description": "Where the picture is, with `DELIVERY_ANSWER=302`.", "headers": _LOCATION},
    304: NOT_MODIFIED,
    307: {"description": "Where the picture is, with `DELIVERY_ANSWER=307`.", "headers": _LOCATION},
    308: {
        "description": "The one URL of this picture: the transform was written in other words.",
        "headers": _LOCATION,
    },
}


def _parameter(name: str, place: str, description: str, example: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": {"type": "string", "examples": [example]} | schema,
    }


IMG_PARAMETERS = [
    _parameter("signature", "path", "Of the URL; `-` where it has none.", "-"),
    _parameter("transform", "path", "Options `name:value`, comma-separated.", "w:640", maxLength=500),
    _parameter("s3_key", "path", "The `s3_key` of an upload.", EXAMPLE_KEY),
    _parameter("grant", "query", "A grant that opens the image, in place of a signature.", EXAMPLE_GRANT),
]
