"""A proxy that makes this machine's clock look wrong to a real store, and the store's to this machine."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from tests.fault_proxy import FaultProxy, _Request

_STAMP = "%Y%m%dT%H%M%SZ"


class ShiftedClockProxy(FaultProxy):
    """What is signed now seems to the store signed `shift` later; its dates seem to this machine `shift` earlier.

    The signature breaks with the date that it covers; a store looks at the date first.
    """

    def __init__(self, store_url: str, shift: timedelta) -> None:
        super().__init__(store_url)
        self._shift = shift

    def _forward(self, request: _Request, body: bytes) -> tuple[bytes, bytes]:
        head = re.sub(rb"(?i)(x-amz-date: )(\S+)", self._shift_stamp, request.head)
        answer, content = super()._forward(replace(request, head=head), body)
        return re.sub(rb"(?im)^(date: )(.+?)\r$", self._shift_date, answer), content

    def _shift_stamp(self, found: re.Match[bytes]) -> bytes:
        moment = datetime.strptime(found[2].decode(), _STAMP).replace(tzinfo=UTC) + self._shift
        return found[1] + moment.strftime(_STAMP).encode()

    def _shift_date(self, found: re.Match[bytes]) -> bytes:
        moment = parsedate_to_datetime(found[2].decode()) - self._shift
        return found[1] + format_datetime(moment, usegmt=True).encode() + b"\r"


class DatelessProxy(ShiftedClockProxy):
    """The same, and answers have no date to see it by."""

    def _shift_date(self, found: re.Match[bytes]) -> bytes:
        return b"X-No-" + found[0]


class LateDateProxy(ShiftedClockProxy):
    """Only the dates of answers are shifted, signatures stay valid."""

    def _shift_stamp(self, found: re.Match[bytes]) -> bytes:
        return found[0]
