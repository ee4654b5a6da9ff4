"""record.py: put what the service at VIVARIUM_URL answers to the examples of docs/openapi.json into it.

For a new example write its request and an empty example of its answer, `"name": {}`, and run this.
An answer that still holds stays as it is; take its "value" away to have it written anew.
What it writes is to be read: test_openapi.py then holds the service to it.
"""

import json

from examples import DOCUMENT, Caller, all_examples, load, mismatches, value_of


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
        there = "value" in example.documented
        if value is not None and not (there and not mismatches(document, example, value)):
            example.documented["value"] = value
    caller.clean()
    DOCUMENT.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
