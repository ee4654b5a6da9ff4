"""bench.py URL SPAWN [--seconds N] [--rounds N] [--json FILE]: measure, and print a table.

Every row is measured in each round, next to the others, so that a machine that changes its
pace changes it for all; the figures are the medians over the rounds.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = ["/usr/bin/python3", "-I", "-c", "print(1)"]
ONE_SHOT = ["POST", "/api/v1/execute", '{"code": "print(1)"}', r'"stdout":%s*"1\n"']


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def processes(spawn, seconds, at_once):
    """Cold processes, `at_once` of them side by side."""
    began = time.monotonic()
    lines = subprocess.run([spawn, str(seconds), str(at_once), *PYTHON], check=True, capture_output=True, text=True).stdout.split()
    took = time.monotonic() - began
    times = [int(line) for line in lines]
    return {"p50_us": percentile(times, 0.5), "p99_us": percentile(times, 0.99), "per_second": len(times) / took, "requests": len(times)}


def requests(url, seconds, connections, request):
    """One request over and over, over kept connections; wrk is the load."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", HERE + "/request.lua", url, "--", *request]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    line = next((line for line in output.splitlines() if line.startswith("JSON ")), None)
    if line is None:
        sys.exit("wrk printed no result:\n" + output)
    got = json.loads(line[5:])
    got["per_second"] = (got["requests"] - got["refused"]) / got["seconds"]
    return got


def rows(options):
    cores = os.cpu_count()
    yield "cold_1", "python3 -I -c 'print(1)', one at a time", lambda s: processes(options.spawn, s, 1)
    yield "cold_cores", f"python3 -I -c 'print(1)', one per core ({cores})", lambda s: processes(options.spawn, s, cores)
    for c in (1, 8, 64):
        yield f"floor_{c}", f"GET /api/, {c} at once", lambda s, c=c: requests(options.url, s, c, ["GET", "/api/"])
    for c in (1, 8, 64):
        yield f"one_shot_{c}", f"one-shot print(1), {c} at once", lambda s, c=c: requests(options.url, s, c, ONE_SHOT)


def merge(results):
    merged = {key: statistics.median(r[key] for r in results) for key in ("p50_us", "p99_us", "per_second")}
    for key in ("requests", "refused", "wrong", "failed", "status"):
        merged[key] = sum(r.get(key, 0) for r in results)
    return merged


def milliseconds(microseconds):
    return f"{microseconds / 1000:.2f} ms"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("spawn")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    options = parser.parse_args()
    options.url = urllib.parse.urlunsplit(urllib.parse.urlsplit(options.url)[:2] + ("/", "", ""))

    table = list(rows(options))
    results = {key: [] for key, _, _ in table}
    for number in range(options.rounds):
        for key, title, measure in table:
            print(f"round {number + 1} of {options.rounds}: {title}", end=" ", flush=True)
            measure(1)  # warm up
            got = measure(options.seconds)
            print(f"{milliseconds(got['p50_us'])}, {got['per_second']:.0f}/s", flush=True)
            results[key].append(got)
    merged = {key: merge(list_) for key, list_ in results.items()}

    print(f"\n{'':46}{'p50':>12}{'p99':>12}{'a second':>12}")
    for key, title, _ in table:
        row = merged[key]
        notes = "".join(f"  {row[name]} {name}" for name in ("refused", "wrong", "failed") if row[name])
        print(f"{title:46}{milliseconds(row['p50_us']):>12}{milliseconds(row['p99_us']):>12}{row['per_second']:>12.0f}{notes}")

    ratios = {
        "latency_to_cold": merged["one_shot_1"]["p50_us"] / merged["cold_1"]["p50_us"],
        "throughput_to_cold": merged["one_shot_8"]["per_second"] / merged["cold_cores"]["per_second"],
        "latency_to_floor": merged["one_shot_1"]["p50_us"] / merged["floor_1"]["p50_us"],
    }
    print(f"\none-shot at c=1 / cold process, p50:             {ratios['latency_to_cold']:.3f}   (at most 0.25; aim 0.1)")
    print(f"one-shots a second at c=8 / processes, per core: {ratios['throughput_to_cold']:.2f}    (at least 2.0; aim 3)")
    print(f"one-shot at c=1 / GET /api/ at c=1, p50:         {ratios['latency_to_floor']:.1f}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": {"cores": os.cpu_count(), "kernel": platform.release()}, "seconds": options.seconds, "rounds": options.rounds,
                       "rows": merged, "ratios": ratios}, file, indent=1)
            file.write("\n")
    return 1 if any(row["wrong"] or row["failed"] for row in merged.values()) else 0


sys.exit(main())
