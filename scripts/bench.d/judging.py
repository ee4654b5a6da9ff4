"""Judging: one request with 100 trivial cases."""

from sessions import Client

CASES = 100
REQUEST = {"id": "bench-judging", "code": "def add(a, b):\n    return a + b\n", "entry_point": "add",
           "io_cases": [{"input": f"a={n}, b=1", "output": str(n + 1)} for n in range(CASES)]}


def judge(client, _number):
    answer, took = client.call("POST", "/evaluate_code", REQUEST)
    if answer["passed"] is not True or len(answer["case_results"]) != CASES:
        raise SystemExit(f"bench: not all of {CASES} cases passed: {answer}")
    return took


def with_files(url, measure):
    """What measure() gives with a session of that name that has a file: each case sees it."""
    client = Client(url)
    name = REQUEST["id"]
    client.make(name)
    client.exchange("PUT", f"/api/v1/sessions/{name}/files/data.txt", b"1\n")
    try:
        return measure()
    finally:
        client.delete(name)
