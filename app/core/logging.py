"""Logging: structlog over the standard library, for people or for machines; secrets never get through."""

from __future__ import annotations

import logging
import re
import sys
from functools import lru_cache
from typing import Any, cast

import structlog
from structlog.stdlib import BoundLogger, ExtraAdder, ProcessorFormatter
from structlog.typing import EventDict, Processor

from app.core.config import LogFormat, Settings

_HANDLER_NAME = "heaven"
_REDACTED = "***"
_SECRET_NAME = re.compile(r"authorization|cookie|password|secret|signature|token|credential", re.IGNORECASE)
_SECRET_TEXT = (
    re.compile(r"(?i)(\bbearer\s+)[^\s\"',;]+"),
    re.compile(r"(?i)(\bx-amz-(?:signature|security-token|credential)=)[^&\s\"']+"),
    re.compile(r"(\b)eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*"),
)
# What every one of those contains: most texts are searched once, and not three times.
_SECRET_HINT = re.compile(r"bearer|x-amz-|eyJ", re.IGNORECASE)
# At DEBUG the first print requests with their signatures; at INFO pyvips prints every step of every picture.
_TALKATIVE = {
    "boto3": logging.INFO,
    "botocore": logging.INFO,
    "s3transfer": logging.INFO,
    "urllib3": logging.INFO,
    "python_multipart": logging.INFO,
    "asyncio": logging.INFO,
    "pyvips": logging.WARNING,
}


def get_logger(name: str) -> BoundLogger:
    """A logger that writes to the standard library's logger `name`, so that an embedding application's set-up holds."""
    processors: list[Processor] = [
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.render_to_log_kwargs,
    ]
    logger = structlog.wrap_logger(logging.getLogger(name), processors=processors, wrapper_class=BoundLogger)
    return cast("BoundLogger", logger)


def configure_logging(settings: Settings) -> None:
    """Sends this process's records, uvicorn's too, to standard error in the settings' format. Repeating replaces."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(_formatter(settings.log_format))
    root = logging.getLogger()
    for old in [old for old in root.handlers if old.get_name() == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.log_level)
    for name, least in _TALKATIVE.items():
        logging.getLogger(name).setLevel(max(least, root.level))


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: values under secret names and secrets inside texts are blotted out."""
    # uvicorn says everything twice, once in colours.
    return {name: _redact_value(name, value) for name, value in event.items() if name != "color_message"}


def _redact_value(name: str, value: object) -> object:
    if _is_secret_name(name):
        return _REDACTED
    if isinstance(value, dict):
        return {key: _redact_value(str(key), entry) for key, entry in value.items()}
    if not isinstance(value, str) or not _SECRET_HINT.search(value):
        return value
    for pattern in _SECRET_TEXT:
        value = pattern.sub(rf"\g<1>{_REDACTED}", value)
    return value


@lru_cache(maxsize=1024)
def _is_secret_name(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _formatter(log_format: LogFormat) -> ProcessorFormatter:
    renderer: Processor
    if log_format is LogFormat.JSON:
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    return ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            ExtraAdder(),
        ],
        processors=[
            ProcessorFormatter.remove_processors_meta,
            # Formatted here, as plain text: the console renderer's own tracebacks show the values of variables.
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    )
