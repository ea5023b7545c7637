"""Variants, placeholders and the focal point over HTTP, and what a service says that has too much to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.core.exceptions import ProcessingOverloaded
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, PHOTO, Api, assert_problem, make_settings, run_api
from tests.services.emitting import FACTS, PLANS, SPECS, EmittingProcessor

PATH = "/api/v1/images"


@pytest.fixture
def processor() -> EmittingProcessor:
    return EmittingProcessor()


@pytest.fixture
def api(processor: EmittingProcessor) -> Iterator[Api]:
    """The application on an engine that makes variants without decoding anything."""
    service = make_image_service(MemoryStore(), CONNECTION, processor=processor, plans=PLANS)
    yield from run_api(service, make_settings())


def test_answer_lists_variants_and_placeholders(api: Api) -> None:
    """What a front end renders from comes with the upload, and again whenever the image is described."""
    image = api.upload(user_id="123").json()
    described = api.client.get(f"{PATH}/{image['s3_key']}").json()

    assert [(variant["name"], variant["format"]) for variant in image["variants"]] == [
        (spec.name, spec.format.value) for spec in SPECS
    ]
    assert all(variant["url"].endswith(variant["s3_key"]) for variant in image["variants"])
    assert {variant["s3_key"] for variant in image["variants"]} | {image["s3_key"]} == set(api.stored_keys())
    assert image["metadata"]["thumbhash"] == FACTS.thumbhash
    assert image["metadata"]["privacy"] == {"removed": [], "kept": []}
    assert {name: described[name] for name in image} == image


def test_focal_point_of_one_and_of_a_batch(api: Api, processor: EmittingProcessor) -> None:
    """Both coordinates reach the engine and the facts; left out or left blank there is none."""
    fields: list[dict[str, str]] = [{"focal_x": "0.25", "focal_y": "1"}, {}, {"focal_x": "", "focal_y": ""}]
    alone = [api.client.post(PATH, files={"file": PHOTO}, data={"image_type": "user"} | each) for each in fields]
    files = [("files", ("a.jpg", PHOTO)), ("files", ("b.jpg", PHOTO))]
    batch = api.client.post(
        f"{PATH}/batch", files=files, data={"image_type": "room", "focal_x": "0", "focal_y": "5e-1"}
    )

    points = [answer.json()["metadata"]["focal_point"] for answer in alone]
    assert points == [{"x": 0.25, "y": 1.0}, None, None]
    outcomes = batch.json()["outcomes"]
    assert [each["image"]["metadata"]["focal_point"] for each in outcomes] == [{"x": 0.0, "y": 0.5}] * 2
    assert [plan.focal_point and (plan.focal_point.x, plan.focal_point.y) for plan in processor.plans] == [
        (0.25, 1.0),
        None,
        None,
        (0.0, 0.5),
        (0.0, 0.5),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"focal_x": "0.5"},
        {"focal_y": "0.5"},
        {"focal_x": "0.5", "focal_y": ""},
        {"focal_x": "1.01", "focal_y": "0"},
        {"focal_x": "-0.1", "focal_y": "0"},
        {"focal_x": "left", "focal_y": "0"},
        {"focal_x": "nan", "focal_y": "0"},
        {"focal_x": "1e999", "focal_y": "0"},
        {"focal_x": "0,5", "focal_y": "0"},
        {"focal_x": "٠", "focal_y": "0"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch"])
def test_focal_point_that_is_none(api: Api, fields: dict[str, str], path: str) -> None:
    """Half a point, or one outside the picture, is refused, and nothing is stored."""
    field = "file" if path == PATH else "files"
    answer = api.client.post(path, files={field: PHOTO}, data={"image_type": "user"} | fields)
    assert_problem(answer, 400, "REQUEST_INVALID")
    assert api.stored_keys() == []


class Overloaded(EmittingProcessor):
    """A processor with no room for another picture."""

    async def render(self, *_: Any, **__: Any) -> Any:
        """See `ImageProcessor.render`."""
        raise ProcessingOverloaded


def test_too_much_to_do() -> None:
    """A service that cannot begin soon says when to come back, also for each file of a batch; nothing is stored."""
    service = make_image_service(MemoryStore(), CONNECTION, processor=Overloaded(), plans=PLANS)
    for api in run_api(service, make_settings()):
        answer = api.upload()
        batch = api.client.post(f"{PATH}/batch", files={"files": PHOTO}, data={"image_type": "user"})
        assert api.stored_keys() == []

    assert assert_problem(answer, 503, "PROCESSING_OVERLOADED")["retryable"] is True
    assert int(answer.headers["retry-after"]) > 0
    [outcome] = batch.json()["outcomes"]
    assert (outcome["status"], outcome["error"]["code"]) == (503, "PROCESSING_OVERLOADED")


def test_documentation_tells_of_both(api: Api) -> None:
    """The documentation offers the focal point in the forms, and the overload with its header among the answers."""
    document = api.client.get("/openapi.json").json()
    for path in (PATH, f"{PATH}/batch"):
        operation = document["paths"][path]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert form["properties"]["focal_x"]["maximum"] == 1
        assert form["dependentRequired"] == {"focal_x": ["focal_y"], "focal_y": ["focal_x"]}
        unavailable = operation["responses"]["503"]
        assert "Retry-After" in unavailable["headers"]
        [content] = unavailable["content"].values()
        assert "PROCESSING_OVERLOADED" in content["schema"]["properties"]["code"]["enum"]
