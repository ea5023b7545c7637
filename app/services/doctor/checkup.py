"""The checks in their order, and the run through them: bounded in time, and no longer than it takes to name a fault."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.core.config import Settings
from app.core.exceptions import ImageServiceError, S3ConnectionFailed
from app.services.bounded_calls import Deadline
from app.services.doctor import access, decoders, exposure, objects, reaching, upkeep
from app.services.doctor.examination import Examination
from app.services.doctor.explanations import explain
from app.services.doctor.verdicts import CheckResult, Verdict, fail, skip
from app.services.s3_connection import S3Connection

_TOTAL_SECONDS = 60.0
_LIMIT_SECONDS = 10.0
# A machine under load may need that long to start a server.
_START_LIMIT_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at. It is passed over when one of those that it `needs` failed or was passed over.

    Without needs it is looked at always.
    """

    name: str
    look: Callable[[Examination], Verdict]
    needs: tuple[str, ...] = ()
    limit_seconds: float = _LIMIT_SECONDS


CHECKS: tuple[Check, ...] = (
    Check("configuration", reaching.check_configuration),
    Check("decoders", decoders.check_decoders, ("configuration",), _START_LIMIT_SECONDS),
    Check("embedded store", reaching.check_embedded_store, ("configuration",), _START_LIMIT_SECONDS),
    Check("endpoint", reaching.check_endpoint, ("embedded store",)),
    Check("clock", reaching.check_clock, ("endpoint",)),
    Check("credentials", access.check_credentials, ("clock",)),
    Check("bucket", access.check_bucket, ("credentials",)),
    Check("region", access.check_region, ("bucket",)),
    Check("put", objects.check_put, ("region",)),
    Check("get", objects.check_get, ("put",)),
    Check("head", objects.check_head, ("put",)),
    Check("list", objects.check_list, ("put",)),
    Check("conditional write", objects.check_conditional_write, ("put",)),
    Check("checksums", objects.check_checksums, ("put",)),
    Check("presigned GET", exposure.check_presigned_get, ("get",)),
    Check("CORS", exposure.check_cors, ("presigned GET",)),
    Check("delete", objects.check_delete, ("put",)),
    Check("public is public", exposure.check_public, ("delete",)),
    Check("private is private", exposure.check_private, ("delete",)),
    Check("anonymous list", exposure.check_anonymous_list, ("region",)),
    Check("anonymous write", exposure.check_anonymous_write, ("region",)),
    Check("versioning", upkeep.check_versioning, ("region",)),
    Check("lifecycle", upkeep.check_lifecycle, ("region",)),
    Check("clean-up", upkeep.check_clean_up),
)


def examine(load: Callable[[], Settings], connect: Callable[[Settings], S3Connection]) -> Iterator[CheckResult]:
    """Runs every check and gives each result as soon as it is known.

    `load` and `connect` are asked once, within their checks, so that their failures are findings too. A store that
    falls silent ends the looking: what is left is passed over at once. Nothing is left in the bucket.
    """
    examination = Examination(load, connect)
    try:
        yield from _run(examination)
    except BaseException:
        # Interrupted: the last check, which cleans up, never came.
        examination.clean_up()
        raise
    finally:
        examination.close()


def _run(examination: Examination) -> Iterator[CheckResult]:
    blocked: dict[str, str] = {}
    lost_in, deadline = "", Deadline(_TOTAL_SECONDS)
    for check in CHECKS:
        root = next((blocked[name] for name in check.needs if name in blocked), lost_in)
        if check.needs and (root or deadline.has_passed):
            blocked[check.name] = root
            yield CheckResult(check.name, skip(f"Not looked at: see {root}." if root else "The time is over."))
            continue
        outcome = _look(check, examination)
        if outcome.result.failed:
            blocked[check.name] = check.name
        if outcome.store_is_lost:
            lost_in = check.name
        yield outcome.result


@dataclass(frozen=True, slots=True)
class _Outcome:
    result: CheckResult
    store_is_lost: bool = False


def _look(check: Check, examination: Examination) -> _Outcome:
    """The check in a thread of its own, which is left behind when it hangs, as name resolution can."""
    found: list[_Outcome] = []
    thread = threading.Thread(target=lambda: found.append(_judge(check, examination)), daemon=True)
    thread.start()
    thread.join(check.limit_seconds)
    if found:
        return found[0]
    verdict = fail(f"No end after {check.limit_seconds:g} s.", "Look at the store, the network and the DNS.")
    return _Outcome(CheckResult(check.name, verdict), store_is_lost=True)


def _judge(check: Check, examination: Examination) -> _Outcome:
    try:
        return _Outcome(CheckResult(check.name, check.look(examination)))
    except S3ConnectionFailed as error:
        return _Outcome(CheckResult(check.name, explain(error, examination)), store_is_lost=True)
    except ImageServiceError as error:
        return _Outcome(CheckResult(check.name, explain(error, examination)))
    except Exception as error:  # noqa: BLE001 - a store that answers nonsense is a finding, not the end of the looking
        verdict = fail(f"The check itself failed: {type(error).__name__}.", "Run it again; report it if it stays.")
        return _Outcome(CheckResult(check.name, verdict))
