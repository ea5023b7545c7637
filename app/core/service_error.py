"""The root of every failure that this service reports on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from app.core.error_codes import ErrorCode, Fault


class ImageServiceError(Exception):
    """Root of everything this service raises on purpose.

    `detail` is a public sentence about this occurrence; `cause` holds what helps an operator (no secrets).
    """

    code: ClassVar[ErrorCode]
    title: ClassVar[str]
    fault: ClassVar[Fault] = Fault.OPERATOR
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str | None = None, *, cause: Mapping[str, str] | None = None) -> None:
        self.detail = detail or self.title
        self.cause: dict[str, str] = dict(cause or {})
        super().__init__(self.detail)
