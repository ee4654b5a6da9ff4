"""The examples of docs/openapi.json as requests that can be made.

An example is a name. Where an operation has a request body, the example of that name there is
sent; a parameter gets the value of that name, or else its only value; and the answer must be the
one that has an example of that name. What OpenAPI has no words for is said in the answer's example:

    x-before   other examples, "operationId.name", that come first
    x-while    an example that is still running when this one is sent
    x-meanwhile  examples that are sent while this one runs
    x-body-of  the body is what this example of x-before was answered
    x-any      members of the answer that another run may answer differently, beside those that
               their schema calls x-volatile

An answer without content has its examples in `x-examples`.
"""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "openapi.json"
URL = os.environ.get("VIVARIUM_URL", "http://127.0.0.1:5000")
METHODS = ("get", "put", "post", "delete")
SESSIONS = ("ada", "grace")  # the ids that the examples use
PATIENCE = 30


def load() -> dict[str, Any]:
    return json.loads(DOCUMENT.read_text())


def resolve(document: Any, value: Any) -> Any:
    """What a $ref points to."""
    while isinstance(value, dict) and "$ref" in value:
        target = document
        for piece in value["$ref"].removeprefix("#/").split("/"):
            target = target[piece.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


@dataclass
class Example:
    operation_id: str
    name: str
    method: str
    path: str
    status: int
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    body_type: str | None = None
    answer_type: str | None = None
    schema: Any = None
    documented: dict[str, Any] = field(default_factory=dict)
    """The Example Object of the answer."""

    @property
    def key(self) -> str:
        return f"{self.operation_id}.{self.name}"


def operations(document: Any) -> Any:
    """(path, method, operation), in the document's order."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                parameters = [*item.get("parameters", []), *item[method].get("parameters", [])]
                yield path, method, {**item[method], "parameters": parameters}


def all_examples(document: Any) -> dict[str, Example]:
    found = {}
    for path, method, operation in operations(document):
        for status, response in operation["responses"].items():
            for example in _of_response(document, path, method, operation, status, response):
                assert example.key not in found, f"{example.key} is there twice"
                found[example.key] = example
    return found


def _of_response(document: Any, path: str, method: str, operation: Any, status: str, response: Any) -> Any:
    response = resolve(document, response)
    for name, documented in response.get("x-examples", {}).items():
        yield _fill(
            document,
            Example(operation["operationId"], name, method, path, int(status), documented=documented),
            operation,
        )
    for media_type, content in response.get("content", {}).items():
        for name, documented in content.get("examples", {}).items():
            example = Example(
                operation["operationId"], name, method, path, int(status), documented=documented
            )
            example.answer_type, example.schema = media_type, content.get("schema")
            yield _fill(document, example, operation)


def _fill(document: Any, example: Example, operation: Any) -> Example:
    for parameter in operation["parameters"]:
        named = parameter.get("examples", {})
        if example.name in named:
            value = named[example.name]["value"]
        elif "example" in parameter and parameter.get("required"):
            value = parameter["example"]
        else:
            assert not parameter.get("required"), f"{example.key}: no value for {parameter['name']}"
            continue
        if parameter["in"] == "path":
            example.path = example.path.replace("{" + parameter["name"] + "}", value)
        elif parameter["in"] == "query":
            example.query[parameter["name"]] = json.dumps(value) if isinstance(value, bool) else value
        else:
            example.headers[parameter["name"]] = value
    for media_type, content in resolve(document, operation.get("requestBody", {})).get("content", {}).items():
        if example.name in content.get("examples", {}):
            example.body, example.body_type = content["examples"][example.name].get("value"), media_type
    if example.answer_type == "text/event-stream":
        example.headers["Accept"] = example.answer_type
    return example


class Caller:
    """Makes the requests of examples, and those that they need."""

    def __init__(self, examples: dict[str, Example]) -> None:
        self.examples = examples
        self.http = httpx.Client(base_url=URL, timeout=100)
        self._made: set[str] = set()

    def send(self, example: Example) -> httpx.Response:
        """Its answer, after all that comes before it."""
        answers = {key: self._must(key) for key in example.documented.get("x-before", [])}
        body = example.body
        if source := example.documented.get("x-body-of"):
            body = answers[source].content
        if meanwhile := example.documented.get("x-meanwhile"):
            return self._with(example, body, meanwhile)
        beside = example.documented.get("x-while")
        if not beside:
            return self._request(example, body)
        thread = threading.Thread(target=self._must, args=[beside])
        thread.start()
        self._wait_running()
        try:
            return self._request(example, body)
        finally:
            self._stop()
            thread.join()

    def _with(self, example: Example, body: Any, meanwhile: list[str]) -> httpx.Response:
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(self._request, example, body)
            self._wait_running()
            for key in meanwhile:
                self._must(key)
            return answer.result()

    def clean(self) -> None:
        """No session of the examples is left."""
        for session in {*SESSIONS, *self._made}:
            self.http.delete(f"/api/v1/sessions/{session}")
        self._made.clear()

    def _must(self, key: str) -> httpx.Response:
        example = self.examples[key]
        response = self._request(example, example.body)
        assert response.status_code == example.status, f"{key}: {response.status_code} {response.text[:300]}"
        return response

    def _request(self, example: Example, body: Any) -> httpx.Response:
        headers = dict(example.headers)
        if example.body_type:
            headers["Content-Type"] = example.body_type
        if example.body_type == "application/x-www-form-urlencoded":
            body = str(httpx.QueryParams(body))
        elif body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        response = self.http.request(
            example.method, example.path, params=example.query or None, headers=headers, content=body
        )
        if example.operation_id in ("createSession", "forkSession") and response.is_success:
            self._made |= {value for name, value in response.json().items() if name in ("id", "new_id")}
        return response

    def _wait_running(self) -> None:
        end = time.monotonic() + PATIENCE
        while self.http.get(f"/api/v1/sessions/{SESSIONS[0]}").json()["state"] != "running":
            assert time.monotonic() < end, "the cell of x-while does not begin"
            time.sleep(0.01)

    def _stop(self) -> None:
        self.http.post(f"/api/v1/sessions/{SESSIONS[0]}/interrupt")


# ---- comparing ---------------------------------------------------------------------------------


def value_of(response: httpx.Response, media_type: str | None) -> Any:
    """The answer as an example would have it; None where that is not text."""
    if media_type is None:
        return None
    if media_type.endswith("json"):
        return response.json()
    return response.text if media_type.startswith("text/") else None


def events_of(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, without their ids; pieces of output that follow each other as one."""
    events: list[tuple[str, Any]] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in block.split("\n") if line and not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if not fields:
            continue
        name, data = fields["event"], json.loads(fields["data"])
        if events and name == events[-1][0] and name in ("stdout", "stderr"):
            events[-1][1]["text"] += data["text"]
        else:
            events.append((name, data))
    return events


def differences(
    document: Any, schema: Any, documented: Any, actual: Any, skip: list[str], path: str = ""
) -> list[str]:
    """Where an answer is not what its example says, but for what may differ."""
    schema = resolve(document, schema) or {}
    if schema.get("x-volatile") or path.lstrip(".") in skip:
        return []
    for kind in ("oneOf", "anyOf", "allOf"):
        for branch in schema.get(kind, []):
            schema = {**resolve(document, branch), **{k: v for k, v in schema.items() if k != kind}}
    if isinstance(documented, dict) and isinstance(actual, dict):
        if sorted(documented) != sorted(actual):
            return [f"{path}: members {sorted(documented)}, not {sorted(actual)}"]
        found = []
        for name, value in documented.items():
            inner = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
            inner = inner if isinstance(inner, dict) else {}
            found += differences(document, inner, value, actual[name], skip, f"{path}.{name}")
        return found
    if isinstance(documented, list) and isinstance(actual, list) and len(documented) == len(actual):
        pairs = zip(documented, actual, strict=True)
        return [
            line
            for i, (one, other) in enumerate(pairs)
            for line in differences(document, schema.get("items", {}), one, other, skip, f"{path}[{i}]")
        ]
    return [] if documented == actual else [f"{path}: {documented!r}, not {actual!r}"]


def mismatches(document: Any, example: Example, value: Any) -> list[str]:
    """Where an answer is not the one that the example has."""
    documented, skip = example.documented["value"], example.documented.get("x-any", [])
    if example.answer_type != "text/event-stream":
        return differences(document, example.schema, documented, value, skip)
    schemas = resolve(document, example.schema)["x-events"]
    wanted, got = events_of(documented), events_of(value)
    if [name for name, _ in wanted] != [name for name, _ in got]:
        return [f"events {[name for name, _ in wanted]}, not {[name for name, _ in got]}"]
    return [
        line
        for (name, one), (_, other) in zip(wanted, got, strict=True)
        for line in differences(document, schemas[name], one, other, skip, name)
    ]
