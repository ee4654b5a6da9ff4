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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import files  # noqa: E402
import judging  # noqa: E402
import oneshots  # noqa: E402
import sessions  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = ["/usr/bin/python3", "-I", "-c", "print(1)"]
WARM_PATH = f"/api/v1/sessions/bench-warm-#{sessions.WARM_SESSIONS}/execute"
WARM = ["POST", WARM_PATH, '{"code": "1+1"}', '"result":%s*"2"']
CHANGING = ["POST", WARM_PATH, '{"code": "x = 1"}', '"success"']
CPU = ("cpu_user_us", "cpu_system_us", "cpu_kernel_threads_us")
ONE_SHOT = ["POST", "/api/v1/execute", '{"code": "print(1)"}', r'"stdout":%s*"1\n"']


IMPORTS = "import numpy, pandas, matplotlib.pyplot; print(1)"
PLOT = "import matplotlib.pyplot as plt, numpy as np\nplt.plot(np.random.rand(1000))\nNone"  # which becomes a PNG of the answer
DATA_SESSIONS = 50
WITH_DATA = ["POST", "/api/v1/execute", json.dumps({"environment": "data", "code": IMPORTS}), r'"stdout":%s*"1\n"']


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def processes(spawn, seconds, at_once, command=PYTHON):
    """Cold processes, `at_once` of them side by side."""
    began = time.monotonic()
    lines = subprocess.run([spawn, str(seconds), str(at_once), *command], check=True, capture_output=True, text=True).stdout.split()
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
    for c in (1, 8) if options.new_url else ():
        yield f"one_shot_new_{c}", f"the same, a new sandbox for each, {c} at once", lambda s, c=c: requests(options.new_url, s, c, ONE_SHOT)
    for c in (1, 8, 64) if options.against else ():
        yield f"against_{c}", f"the same of {options.against}, {c} at once", lambda s, c=c: requests(options.against, s, c, options.request)
    for pause in (20, 500):
        yield f"one_shot_each_{pause}_ms", f"one-shot print(1), {pause} ms between", lambda s, pause=pause: oneshots.spaced(options.url, s, pause)
    yield "burst_hot", f"last answer of {oneshots.BURST} at once, over and over", lambda s: oneshots.bursts(options.url, s, 0)
    yield "burst_rested", f"last answer of {oneshots.BURST} at once, after 1 s of rest", lambda s: oneshots.bursts(options.url, s, 1)
    yield "one_shot_cpu", "one-shot print(1), 8 at once, with CPU time", lambda s: oneshots.cpu_of(lambda: requests(options.url, s, 8, ONE_SHOT))
    yield "one_shot_beside", f"one-shot print(1), 8 at once, beside {oneshots.IDLE_SESSIONS} idle sessions", lambda s: oneshots.beside_idle(
        options.url, lambda: requests(options.url, s, 8, ONE_SHOT))
    yield "sandbox_only", "a sandbox made and given up, no code", lambda s: sessions.repeated(options.url, s, oneshots.sandbox_only)
    if options.environment:  # as a person would start it there: one thread, the list of fonts at hand
        cold = ["/usr/bin/env", "MPLBACKEND=agg", f"MPLCONFIGDIR={options.environment}/share/matplotlib", "OPENBLAS_NUM_THREADS=1", options.environment + "/bin/python3", "-I", "-c", IMPORTS]
        yield "cold_data", "python3 that imports numpy, pandas, pyplot", lambda s: processes(options.spawn, s, 1, cold)
        yield "one_shot_data", "one-shot in data that does, 1 at once", lambda s: requests(options.url, s, 1, WITH_DATA)
        yield "data_each_20_ms", "one-shot in data that does, 20 ms between", lambda s: oneshots.spaced(
            options.url, s, 20, {"method": WITH_DATA[0], "path": WITH_DATA[1], "body": WITH_DATA[2]})
        yield "data_plot", "a plot of 1,000 points as PNG in data", lambda s: oneshots.spaced(
            options.url, s, 20, {"method": "POST", "path": "/api/v1/execute", "body": json.dumps({"environment": "data", "code": PLOT})})
    yield "session_new", "new session to first result", lambda s: sessions.repeated(options.url, s, sessions.new_session)
    yield "after_look", "1+1 right after 1+1", lambda s: sessions.with_one_session(options.url, s, sessions.after_look)
    yield "after_change", "1+1 right after x = 1 (waits for the copy)", lambda s: sessions.with_one_session(options.url, s, sessions.after_change)
    yield "restore", "os._exit to restored, with the answer", lambda s: sessions.with_one_session(options.url, s, sessions.restore)
    for name, size in files.SIZES.items():
        for puts in (True, False):
            yield (f"{'put' if puts else 'get'}_{name}", f"{'PUT' if puts else 'GET'} a file of {size} bytes",
                   lambda s, size=size, puts=puts: files.with_files(options.url, s, size, puts))
    yield "judge", f"judging {judging.CASES} trivial cases in one request", lambda s: sessions.repeated(options.url, s, judging.judge)
    yield "judge_files", f"judging {judging.CASES} trivial cases in a session with a file", lambda s: judging.with_files(
        options.url, lambda: sessions.repeated(options.url, s, judging.judge))
    for c in (1, 8, 64):
        yield f"warm_{c}", f"warm 1+1 in {sessions.WARM_SESSIONS} sessions, {c} at once", lambda s, c=c: requests(options.url, s, c, WARM)
    yield "warm_changing_8", "warm x = 1 (with checkpoints), 8 at once", lambda s: requests(options.url, s, 8, CHANGING)


def merge(results):
    merged = {key: statistics.median(r[key] for r in results) for key in ("p50_us", "p99_us", "per_second")}
    for key in CPU:
        if key in results[0]:
            merged[key] = statistics.median(r[key] for r in results)
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
    parser.add_argument("--against", help="another service, for the same one-shots")
    parser.add_argument("--new-url", help="the same service where no sandbox is reused")
    parser.add_argument("--request", help="a file with its request: METHOD, PATH, BODY and a Lua pattern of the answer, a line each")
    parser.add_argument("--rows", help="these alone, between commas")
    parser.add_argument("--environment", help="the folder of the environment data")
    options = parser.parse_args()
    options.url, options.new_url = (
        url and urllib.parse.urlunsplit(urllib.parse.urlsplit(url)[:2] + ("/", "", "")) for url in (options.url, options.new_url))

    if options.against and not options.request:
        parser.error("--against needs --request")
    if options.request:
        with open(options.request, encoding="utf-8") as file:
            options.request = file.read().splitlines()
        if len(options.request) != 4:
            parser.error("--request: expected four lines: METHOD, PATH, BODY and a Lua pattern")
    table = list(rows(options))
    if options.rows:
        table = [row for row in table if row[0] in options.rows.split(",")]
    results = {key: [] for key, _, _ in table}
    for number in range(options.rounds):
        for key, title, measure in table:
            if key == next((k for k, _, _ in table if k.startswith("warm_")), None):  # the sessions are there for these rows only: many processes make forks slower
                sessions.make_warm(options.url)
            print(f"round {number + 1} of {options.rounds}: {title}", end=" ", flush=True)
            measure(1)  # warm up
            got = measure(options.seconds)
            print(f"{milliseconds(got['p50_us'])}, {got['per_second']:.0f}/s", flush=True)
            results[key].append(got)
        if any(key.startswith("warm_") for key, _, _ in table):
            sessions.delete_warm(options.url)
    if not options.rows:
        print(f"memory of {sessions.IDLE_SESSIONS} idle sessions", flush=True)
        idle = sessions.idle_memory(options.url)
    if options.environment and (not options.rows or "data_idle" in options.rows.split(",")):
        print(f"memory of {DATA_SESSIONS} idle sessions of data", flush=True)
        data_idle = sessions.idle_memory(options.url, DATA_SESSIONS, environment="data")
        print(f"an idle session of data at {DATA_SESSIONS}: {data_idle['pss_bytes'] / 1e6:.2f} MB of PSS   (at most 6)")
    merged = {key: merge(list_) for key, list_ in results.items()}

    print(f"\n{'':46}{'p50':>12}{'p99':>12}{'a second':>12}")
    for key, title, _ in table:
        row = merged[key]
        notes = "".join(f"  {row[name]} {name}" for name in ("refused", "wrong", "failed") if row[name])
        print(f"{title:46}{milliseconds(row['p50_us']):>12}{milliseconds(row['p99_us']):>12}{row['per_second']:>12.0f}{notes}")

    if {"one_shot_data", "data_each_20_ms", "one_shot_1", "one_shot_each_20_ms", "cold_data"} <= set(merged):
        with_data, spaced = merged["one_shot_data"]["p50_us"], merged["data_each_20_ms"]["p50_us"]
        print(f"\nthe imports in data / print(1) in base, 20 ms between, p50: {spaced / merged['one_shot_each_20_ms']['p50_us']:.2f}   (at most 1.5)")
        print(f"the same one right after the other:              {with_data / merged['one_shot_1']['p50_us']:.2f}")
        print(f"the imports in data / in a cold process, p50:    {spaced / merged['cold_data']['p50_us']:.4f}  (at most 0.02)")
    if "data_plot" in merged:
        print(f"a plot of 1,000 points as PNG over HTTP, p50:    {milliseconds(merged['data_plot']['p50_us'])}   (at most 100 ms)")
    if options.rows:
        return 1 if any(row["wrong"] or row["failed"] for row in merged.values()) else 0

    ratios = {
        "latency_to_cold": merged["one_shot_1"]["p50_us"] / merged["cold_1"]["p50_us"],
        "throughput_to_cold": merged["one_shot_8"]["per_second"] / merged["cold_cores"]["per_second"],
        "latency_to_floor": merged["one_shot_1"]["p50_us"] / merged["floor_1"]["p50_us"],
        "warm_to_floor": merged["warm_1"]["p50_us"] / merged["floor_1"]["p50_us"],
        "judging_to_cold": merged["judge"]["p50_us"] / (judging.CASES / merged["cold_cores"]["per_second"] * 1e6),
    }
    print(f"\none-shot at c=1 / cold process, p50:             {ratios['latency_to_cold']:.3f}   (at most 0.25; aim 0.1)")
    print(f"one-shots a second at c=8 / processes, per core: {ratios['throughput_to_cold']:.2f}    (at least 2.0; aim 3)")
    print(f"one-shot at c=1 / GET /api/ at c=1, p50:         {ratios['latency_to_floor']:.1f}")
    print(f"warm 1+1 at c=1 / GET /api/ at c=1, p50:         {ratios['warm_to_floor']:.1f}   (at most 4)")
    print(f"{judging.CASES} cases judged / as many processes, per core: {ratios['judging_to_cold']:.3f}   (at most 0.25)")
    print(f"checkpoint, seen by the next cell:               {milliseconds(merged['after_change']['p50_us'] - merged['after_look']['p50_us'])}")
    print(f"an idle session at {sessions.IDLE_SESSIONS}:                         {idle['pss_bytes'] / 1e6:.2f} MB of PSS   (at most 3)")
    print(f"making and using the 10th / the {sessions.IDLE_SESSIONS}th:             {milliseconds(idle['tenth_us'])} / {milliseconds(idle['last_us'])}")
    cpu = [milliseconds(merged["one_shot_cpu"][key]) for key in CPU]
    print(f"CPU time of a one-shot, with its load's:         {cpu[0]} user, {cpu[1]} system, of that {cpu[2]} in kernel threads")
    print(f"{oneshots.BURST} after a rest / in a hot loop, last answer:  {merged['burst_rested']['p50_us'] / merged['burst_hot']['p50_us']:.2f}   (aim 1)")
    print(f"one-shots beside {oneshots.IDLE_SESSIONS} idle sessions / alone:    {merged['one_shot_beside']['per_second'] / merged['one_shot_8']['per_second']:.2f}   (at least 0.9)")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": {"cores": os.cpu_count(), "kernel": platform.release()}, "seconds": options.seconds, "rounds": options.rounds,
                       "rows": merged, "ratios": ratios, "idle_session": idle}, file, indent=1)
            file.write("\n")
    return 1 if any(row["wrong"] or row["failed"] for row in merged.values()) else 0


sys.exit(main())
