"""record.py: put what the service at VIVARIUM_URL answers to the examples of docs/openapi.json into it.

For a new example write its request and an empty example of its answer, `"name": {}`, and run this.
An answer that still holds stays as it is; take its "value" away to have it written anew.
What it writes is to be read: test_openapi.py then holds the service to it.
"""

import json
from typing import Any

from examples import DOCUMENT, Caller, Example, all_examples, differences, load, value_of


def says(document: Any, example: Example, value: Any) -> bool:
    """Is this what stands there already, but for what may differ?"""
    if "value" not in example.documented:
        return False
    skip = example.documented.get("x-any", [])
    return not differences(document, example.schema, example.documented["value"], value, skip)


def main() -> None:
    document = load()
    examples = all_examples(document)
    caller = Caller(examples)
    for example in examples.values():
        caller.clean()
        response = caller.send(example)
        if response.status_code != example.status:
            print(f"{example.key}: {response.status_code}, not {example.status}: {response.text[:300]}")
            continue
        value = value_of(response, example.answer_type)
        if value is not None and not says(document, example, value):
            example.documented["value"] = value
    caller.clean()
    DOCUMENT.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
