"""The shapes of grants and of changes of visibility on the wire, with the examples that the documentation shows."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_KEY = "private/users/123/20241201_143022_a1b2c3d4.jpg"
EXAMPLE_GRANT = "i1733067022.kYwJ0m1xJt9cF2m4mD6h8y5bq3rT7uV1wX0zA2sE4oQ"


class GrantRequest(BaseModel):
    """What a grant is to open: one image (`s3_key`), or one user's images of one type (both other fields)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"s3_key": _KEY, "expires_in": 3600}]})

    s3_key: str | None = None
    image_type: str | None = None
    user_id: str | None = None
    expires_in: int = Field(3600, strict=True, description="Seconds.")


class CdnGrantPart(BaseModel):
    """What opens every URL of the CDN that matches `pattern`: its `query` appended, or its cookies set for `path`."""

    pattern: str
    path: str
    query: str
    cookies: dict[str, str]


class CreatedGrant(BaseModel):
    """A token for `?grant=` at `/files` and `/img`; `cdn` is empty without a CDN that signs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"token": EXAMPLE_GRANT, "opens": _KEY, "expires_at": "2024-12-01T15:30:22.000000", "cdn": []}]
        }
    )

    token: str
    opens: str = Field(description="The image's key, or the folder's.")
    expires_at: str = Field(description="UTC.")
    cdn: list[CdnGrantPart]


class ImageChange(BaseModel):
    """What is to change of an image."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"visibility": "private"}]})

    visibility: Literal["public", "private"]
