"""CloudFront's control API, behind two calls. The one place that builds a client of CloudFront.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.services.bounded_calls import BoundedCalls, CallsClosed
from app.services.cloudfront.paths import WILDCARD
from app.services.s3_connection import S3Connection

Result = TypeVar("Result")

MAX_FILES_IN_PROGRESS = 3000
MAX_WILDCARDS_IN_PROGRESS = 15

_GLOBAL_REGION = "us-east-1"
_OTHER_PARTITIONS = ("cn-", "us-gov-")
_IN_PROGRESS = "InProgress"
_PAGE = "100"
# Only these speak of one batch; all others would meet the next one too.
_CODES_OF_BATCH = frozenset(
    {"BatchTooLarge", "InconsistentQuantities", "InvalidArgument", "InvalidationBatchAlreadyExists"}
)


class CloudFrontFailed(Exception):
    """CloudFront refused or was not reached; `code` is its own, or the class of what failed. It leaves no request.

    `is_of_batch`: it refused this batch of paths, and may take another one.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self.is_of_batch = code in _CODES_OF_BATCH
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class Room:
    """How many paths of each kind CloudFront takes, or has in progress."""

    files: int
    wildcards: int


class ControlApi:
    """Invalidations of one distribution, with the credentials of the S3 settings; called on any event loop."""

    def __init__(self, connection: S3Connection, distribution_id: str, *, endpoint_url: str | None = None) -> None:
        self._connection = connection
        self._distribution_id = distribution_id
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._made_client: Any = None
        self._calls = BoundedCalls(threads=1, total_seconds=connection.total_timeout_seconds, name="cloudfront")
        # An invalidation never changes its paths: they are asked for once, as long as it is in progress.
        self._known: dict[str, Room] = {}

    async def create_invalidation(self, paths: Sequence[str], *, reference: str) -> None:
        """CloudFront has accepted the paths. Of repetitions with the same reference and paths it makes one.

        Raises:
            CloudFrontFailed: it has not, or it is not known.
        """
        batch = {"Paths": {"Quantity": len(paths), "Items": list(paths)}, "CallerReference": reference}
        await self._run(
            lambda client: client.create_invalidation(DistributionId=self._distribution_id, InvalidationBatch=batch)
        )

    async def ask_for_room(self) -> Room:
        """What is left of CloudFront's limits, after all invalidations in progress, whoever made them.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html

        Raises:
            CloudFrontFailed: it does not say.
        """
        under_way = await self._run(self._list_in_progress)
        known = {}
        for identity in under_way:
            known[identity] = self._known.get(identity) or await self._count_paths(identity)
        self._known = known
        files = sum(used.files for used in known.values())
        wildcards = sum(used.wildcards for used in known.values())
        return Room(max(0, MAX_FILES_IN_PROGRESS - files), max(0, MAX_WILDCARDS_IN_PROGRESS - wildcards))

    def close(self) -> None:
        """Frees its thread and connections, after a call under way."""
        self._calls.close()
        with self._lock:
            if self._made_client is not None:
                self._made_client.close()

    def _list_in_progress(self, client: Any) -> list[str]:
        """The ids of those in progress. The newest come first: behind a page without any there are none."""
        found: list[str] = []
        page: dict[str, Any] = {"MaxItems": _PAGE}
        while True:
            answer = client.list_invalidations(DistributionId=self._distribution_id, **page)["InvalidationList"]
            ids = [each["Id"] for each in answer.get("Items", []) if each["Status"] == _IN_PROGRESS]
            found += ids
            if not ids or not answer.get("IsTruncated"):
                return found
            page["Marker"] = answer["NextMarker"]

    async def _count_paths(self, identity: str) -> Room:
        answer = await self._run(
            lambda client: client.get_invalidation(DistributionId=self._distribution_id, Id=identity)
        )
        paths = answer["Invalidation"]["InvalidationBatch"]["Paths"].get("Items", [])
        wildcards = sum(path.endswith(WILDCARD) for path in paths)
        return Room(len(paths) - wildcards, wildcards)

    async def _run(self, function: Callable[[Any], Result]) -> Result:
        try:
            return await self._calls.run(lambda: function(self._client()))
        except ClientError as error:
            raise CloudFrontFailed(str(error.response.get("Error", {}).get("Code", ""))) from error
        except (BotoCoreError, TimeoutError, CallsClosed) as error:
            raise CloudFrontFailed(type(error).__name__) from error

    def _client(self) -> Any:
        # Made in its thread: looking for credentials may ask the network or run a program.
        with self._lock:
            if self._made_client is None:
                self._made_client = make_client(self._connection, endpoint_url=self._endpoint_url)
            return self._made_client


def make_client(connection: S3Connection, *, endpoint_url: str | None = None) -> Any:
    """A client of CloudFront with the credentials and time-outs of an S3 connection.

    `endpoint_url` None: AWS, or what boto's own `AWS_ENDPOINT_URL_CLOUDFRONT` says.
    """
    session = boto3.session.Session(
        aws_access_key_id=connection.access_key_id,
        aws_secret_access_key=connection.secret_access_key,
        aws_session_token=connection.session_token,
        region_name=connection.region if connection.region.startswith(_OTHER_PARTITIONS) else _GLOBAL_REGION,
    )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": connection.max_attempts},
        connect_timeout=connection.connect_timeout_seconds,
        read_timeout=connection.read_timeout_seconds,
        max_pool_connections=1,
    )
    return session.client("cloudfront", endpoint_url=endpoint_url, config=config)
