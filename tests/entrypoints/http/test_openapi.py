"""The API keeps to its own documentation, whatever is sent to it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.entrypoints.http.app import create_app
from app.images import manifests
from app.schemas import images as wire
from app.schemas import manifests as wire_manifests
from app.services import results
from app.services.memory_store import MemoryStore
from tests.conftest import make_image_service
from tests.entrypoints.http.conftest import CONNECTION, Api, ServicesOf, make_settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


OPERATIONS = [
    ("POST", "/api/v1/images"),
    ("GET", "/api/v1/images"),
    ("POST", "/api/v1/images/batch"),
    ("GET", "/api/v1/images/{s3_key}"),
    ("HEAD", "/api/v1/images/{s3_key}"),
    ("PATCH", "/api/v1/images/{s3_key}"),
    ("DELETE", "/api/v1/images/{s3_key}"),
    ("GET", "/api/v1/files/{s3_key}"),
    ("HEAD", "/api/v1/files/{s3_key}"),
    ("POST", "/api/v1/urls"),
    ("GET", "/api/v1/urls/{s3_key}"),
    ("POST", "/api/v1/manifests"),
    ("POST", "/api/v1/grants"),
    ("GET", "/img/{signature}/{transform}/{s3_key}"),
    ("HEAD", "/img/{signature}/{transform}/{s3_key}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
]
WITH_FIELDS = [
    ("POST", "/api/v1/images"),
    ("GET", "/api/v1/images"),
    ("POST", "/api/v1/images/batch"),
    ("POST", "/api/v1/urls"),
    ("GET", "/api/v1/urls/{s3_key}"),
    ("POST", "/api/v1/manifests"),
    ("POST", "/api/v1/grants"),
    ("PATCH", "/api/v1/images/{s3_key}"),
]
EXAMPLES = 25


@pytest.fixture(scope="module")
def documented(clean_environment: None) -> Any:
    service = make_image_service(MemoryStore(), CONNECTION)
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(ServicesOf(service, make_settings())))


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
    + [(*operation, GenerationMode.NEGATIVE) for operation in WITH_FIELDS],
    ids=str,
)
def test_answers_are_documented(documented: Any, method: str, path: str, mode: GenerationMode) -> None:
    """No request, valid or not, gets an answer that the documentation does not know, or a 5xx."""
    operation = documented[path][method]

    @settings(
        max_examples=EXAMPLES, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    check()


def test_every_operation_is_tried(documented: Any) -> None:
    """No operation is left out of the test above."""
    found = {(operation.ok().method.upper(), operation.ok().path) for operation in documented.get_all_operations()}

    assert found == set(OPERATIONS)


@pytest.mark.parametrize(
    ("model", "typed_dict"),
    [
        (wire.UploadedImage, results.UploadResult),
        (wire.ImageDescription, results.StoredImage),
        (wire.ListedImage, results.ListedImage),
        (wire.ImagePage, results.ImagePage),
        (wire.ImageFacts, results.ImageMetadata),
        (wire.SourceFacts, results.SourceMetadata),
        (wire.Variant, results.Variant),
        (wire.PrivacyReceipt, results.PrivacyReceipt),
        (wire.FocalPoint, results.FocalPoint),
        (wire_manifests.Manifest, manifests.Manifest),
        (wire_manifests.PresetManifest, manifests.PresetManifest),
        (wire_manifests.Placeholder, manifests.Placeholder),
        (wire_manifests.Source, manifests.Source),
    ],
)
def test_wire_shapes_are_those_of_the_service(model: Any, typed_dict: Any) -> None:
    """The API shows every field that Python callers get, and no other."""
    assert set(model.model_fields) == typed_dict.__required_keys__


def test_examples_are_valid(api: Api) -> None:
    """Every example in the documentation is what the API could answer."""
    for name, model in [*vars(wire).items(), *vars(wire_manifests).items()]:
        extra = getattr(model, "model_config", {}).get("json_schema_extra") or {}
        for example in extra.get("examples", []):
            assert model.model_validate(example), name


def test_every_operation_documents_its_problems(api: Api) -> None:
    """Each operation of the API lists its refusals as problem+json, with their codes and an example."""
    document = api.client.get("/openapi.json").json()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
            assert path == "/healthz" or {"500", "502", "503"} <= refusals.keys(), (method, path)
            for answer in refusals.values():
                [(media_type, content)] = answer["content"].items()
                assert media_type == "application/problem+json"
                assert content["example"]["code"] in content["schema"]["properties"]["code"]["enum"]


def test_forms_are_documented(api: Api) -> None:
    """The documentation offers a file picker and the known image types."""
    document = api.client.get("/openapi.json").json()
    form = document["paths"]["/api/v1/images"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]

    assert form["properties"]["file"]["format"] == "binary"
    assert form["properties"]["image_type"]["enum"] == ["user", "property", "room", "document"]
    assert form["required"] == ["file", "image_type"]


def test_operations_have_names_of_their_own(api: Api) -> None:
    """Client generators find a distinct name for every operation."""
    document = api.client.get("/openapi.json").json()
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]

    assert len(names) == len(set(names)) >= 11
