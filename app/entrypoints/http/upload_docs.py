"""Parts of the API's documentation that FastAPI cannot derive: the upload forms, headers, optional tokens."""

from __future__ import annotations

from typing import Any

from app.core.image_types import Visibility

# Beside the bearer scheme that FastAPI lists: none is fine too.
OPTIONAL_TOKEN: dict[str, Any] = {"security": [{}]}

_ETAG = {"ETag": {"description": "Of the stored object.", "schema": {"type": "string"}}}
ETAG_HEADER: dict[str, Any] = {"headers": _ETAG}
NOT_MODIFIED: dict[str, Any] = {"description": "The client's copy is still good.", "headers": _ETAG}
UPLOAD_HEADERS: dict[str, Any] = {
    "headers": {"Location": {"description": "The image's address.", "schema": {"type": "string"}}, **_ETAG}
}


def upload_body(types: list[str], *, file_field: str, most: int | None = None) -> dict[str, Any]:
    """The multipart form of an upload; with `most` its file field takes several."""
    file: dict[str, Any] = {
        "type": "string",
        "format": "binary",
        "description": "A JPEG, PNG, WebP, AVIF, GIF, TIFF or HEIC picture; its name and type are not believed.",
    }
    if most is not None:
        file = {"type": "array", "items": file, "minItems": 1, "maxItems": most}
    schema = {
        "type": "object",
        "required": [file_field, "image_type"],
        "properties": {
            file_field: file,
            "image_type": {"type": "string", "enum": types, "description": "Which kind of image this is."},
            "user_id": {
                "type": "string",
                "maxLength": 64,
                "description": "Whose folder it goes to. Left out: the caller's own; for admins none.",
                "examples": ["123"],
            },
            "visibility": {
                "type": "string",
                "enum": list(Visibility),
                "description": "Who may see it; private for a single image of a public type. Left out: the type's own.",
            },
            "focal_x": _fraction("width from the left"),
            "focal_y": _fraction("height from the top"),
        },
        "dependentRequired": {"focal_x": ["focal_y"], "focal_y": ["focal_x"]},
    }
    name = "photo.jpg"
    file_example: Any = name if most is None else [name]
    example = {file_field: file_example, "image_type": types[0], "user_id": "123", "focal_x": 0.5, "focal_y": 0.3}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "example": example}}}


def _fraction(of_what: str) -> dict[str, Any]:
    return {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": f"What crops keep in view, as a fraction of the {of_what}; both coordinates or none.",
        "examples": [0.5],
    }
