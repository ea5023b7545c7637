"""The key of an image as the rest of a path: every character of it, so that any nonsense is answered as a key."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

from app.schemas.images import EXAMPLE_KEY

KeyParameter = Annotated[str, Path(description="The `s3_key` of an upload.", examples=[EXAMPLE_KEY])]
KEY_PATH = "{s3_key:image_key}"


class ImageKeyConvertor(Convertor[str]):
    """As Starlette's `path`, which stops matching at a line break."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("image_key", ImageKeyConvertor())
