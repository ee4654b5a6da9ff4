"""docs/openapi.json is valid, is about every call that there is, and tells the truth: each example is
sent to the running service, and the answer must be the one beside it.
"""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from examples import (
    DOCUMENT,
    ROOT,
    URL,
    Caller,
    Example,
    all_examples,
    events_of,
    load,
    mismatches,
    operations,
    resolve,
    value_of,
)

document = load()
examples = all_examples(document)


def closed(schema: Any) -> Any:
    """The schema without room for members that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


COMPONENTS = closed(copy.deepcopy(document["components"]))


def errors_of(schema: Any, value: Any) -> list[str]:
    whole = {**closed(schema), "components": COMPONENTS}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    made = Caller(examples)
    yield made
    made.http.close()


@pytest.fixture(autouse=True)
def no_sessions(caller: Caller) -> Iterator[None]:
    caller.clean()
    yield
    caller.clean()


def test_it_is_valid() -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_it_is_laid_out_for_reading() -> None:
    assert DOCUMENT.read_text() == json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def test_it_has_every_call_and_no_other() -> None:
    source = (ROOT / "fcgi-app" / "routes.c").read_text()
    served = {
        (method.lower(), pattern.replace("...}", "}"))
        for method, pattern in re.findall(r'{ METHOD_(\w+), "([^"]+)"', source)
    }
    assert len(served) > 40
    assert {(method, path) for path, method, _ in operations(document)} == served


def test_every_call_has_an_example() -> None:
    with_examples = {example.operation_id for example in examples.values()}
    assert {operation["operationId"] for *_, operation in operations(document)} == with_examples


def test_every_request_example_is_sent() -> None:
    """An example of a request without one of an answer would be sent by no test."""
    for *_, operation in operations(document):
        named = {key.partition(".")[2] for key in examples if key.startswith(operation["operationId"] + ".")}
        requests = set()
        for content in operation.get("requestBody", {}).get("content", {}).values():
            requests |= set(content.get("examples", {}))
        for parameter in operation["parameters"]:
            requests |= set(parameter.get("examples", {}))
        assert requests <= named, operation["operationId"]


def test_the_service_serves_it(caller: Caller) -> None:
    response = caller.http.get("/api/v1/openapi.json")
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    assert response.json() == document


@pytest.mark.parametrize("key", examples)
def test_example(caller: Caller, key: str) -> None:
    example = examples[key]
    response = caller.send(example)
    assert response.status_code == example.status, response.text
    if example.answer_type is None:
        assert response.content == b""
        return
    assert response.headers["content-type"].partition(";")[0] == example.answer_type
    value = value_of(response, example.answer_type)
    if value is None:
        assert len(response.content) > 0  # bytes, for which the document has only words
        return
    for what, said in {"the document": example.documented["value"], "the service": value}.items():
        assert invalid(example, said) == [], f"what {what} says"
    assert mismatches(document, example, value) == []


def invalid(example: Example, value: Any) -> list[str]:
    """What is in an answer and should not be, by its schema."""
    if example.answer_type != "text/event-stream":
        return errors_of(example.schema or {}, value)
    schemas = resolve(document, example.schema)["x-events"]
    return [error for name, data in events_of(value) for error in errors_of(schemas[name], data)]


@pytest.mark.parametrize("key", [key for key, one in examples.items() if one.body_type == "application/json"])
def test_request_fits_its_schema(key: str) -> None:
    example = examples[key]
    operation = next(one for *_, one in operations(document) if one["operationId"] == example.operation_id)
    schema = resolve(document, operation["requestBody"])["content"][example.body_type]["schema"]
    fits = errors_of(schema, example.body) == []
    assert fits or example.status in (400, 422), "a request that is served and is none by its schema"


LINKS = [
    (key, name)
    for key, example in examples.items()
    for *_, operation in operations(document)
    if operation["operationId"] == example.operation_id
    for name in operation["responses"][str(example.status)].get("links", {})
]


@pytest.mark.parametrize(("key", "name"), LINKS)
def test_link(caller: Caller, key: str, name: str) -> None:
    """What a link says can be done with an answer can be done."""
    example = examples[key]
    operation = next(one for *_, one in operations(document) if one["operationId"] == example.operation_id)
    link = operation["responses"][str(example.status)]["links"][name]
    answer = caller.send(example).json()

    def evaluated(value: Any) -> Any:
        if isinstance(value, dict):
            return {inner: evaluated(one) for inner, one in value.items()}
        found = re.fullmatch(r"\$response\.body#/(\w+)", value) if isinstance(value, str) else None
        return answer[found[1]] if found else value

    path, method, _ = next(
        one for one in operations(document) if one[2]["operationId"] == link["operationId"]
    )
    for parameter, value in link.get("parameters", {}).items():
        path = path.replace("{" + parameter + "}", evaluated(value))
    response = caller.http.request(method, path, json=evaluated(link.get("requestBody")))
    assert response.status_code < 300, response.text


def test_there_are_links() -> None:
    assert len(LINKS) > 5


def test_it_names_no_other_host() -> None:
    """It is read through the service itself, wherever that is."""
    assert document["servers"] == [{"url": "/", "description": document["servers"][0]["description"]}]
    assert URL not in DOCUMENT.read_text()
