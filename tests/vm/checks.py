"""checks.py alone|systemd|suite: what must hold on a host with cgroup v2 and an older kernel.

Runs inside the test machine (see scripts/test.d/cgroup2), as root, with the programs in
/vivarium. One line a check, then "N passed, N failed"; then the machine goes off.

Patience is generous everywhere: the machine is emulated, ten or twenty times slower than
a real one.
"""

import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

HERE = pathlib.Path("/vivarium")
STATE = pathlib.Path("/run/vivarium")
GROUPS = pathlib.Path("/sys/fs/cgroup")
GROUP = "vivarium-test"
PORT = 5000
PATIENCE = 120
UID_BASE = 1879048192
SETTINGS = {
    "socket": STATE / "executor.sock",
    "peer_user": "vivarium",
    "cgroup_name": GROUP,
    "zygotes": 1,
    "pool": 2,
    "native_cpu_ms": 10000, # emulated, on a machine that may be busy: a probe takes seconds
    "native_output_bytes": 100000,
}

passed = failed = 0
place = "start"  # the section's name


def say(text):
    print(text, flush=True)


def report(good, sentence, detail=""):
    global passed, failed
    if good:
        passed += 1
        say(f"PASS: {place}: {sentence}")
    else:
        failed += 1
        say(f"FAIL: {place}: {sentence}\n    " + str(detail).replace("\n", "\n    "))


def expect(sentence, got, wanted):
    report(got == wanted, sentence, f"expected {wanted!r}, got {got!r}")


@contextlib.contextmanager
def section(name):
    """An exception inside is one failure, and the rest goes on."""
    global place
    place = name
    began = time.monotonic()
    try:
        yield
    except Exception:
        logs = [f"the end of {log.name}:\n" + log.read_text(errors="replace")[-2000:] for log in sorted(STATE.glob("*.log"))]
        report(False, "comes to its end", "\n".join([traceback.format_exc(), *logs]))
    say(f"--- {name}: {time.monotonic() - began:.1f} s")
    place = "end"


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"after {PATIENCE} s still not: {what}")
        time.sleep(0.05)
    return value


# ---- the service --------------------------------------------------------------------------------


def write_config(**more):
    settings = {**SETTINGS, **more}
    path = STATE / "executor.conf"
    path.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    return path


def executor_command(**more):
    return [HERE / "bin/executor", "--config", write_config(**more)]


class Daemon:
    """A daemon with its log; `group` is the control group that it is started in."""

    def __init__(self, name, command, group=None):
        self.log = STATE / f"{name}.log"

        def enter():
            if group is not None:
                (group / "cgroup.procs").write_text("0")

        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=enter)
        self.pid = self.process.pid

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def wait_for_socket(daemon, path):
    def there():
        if daemon and daemon.process.poll() is not None:
            raise AssertionError(f"the daemon ended with status {daemon.process.returncode}: {daemon.log.read_text()[-1500:]}")
        return path.exists()

    wait_until(there, f"{path} exists")


def start_executor(group=None, **more):
    daemon = Daemon("executor", executor_command(**more), group)
    wait_for_socket(daemon, SETTINGS["socket"])
    return daemon


def start_front():
    """fcgi-app and nginx; they stay for all sections."""
    app_socket = STATE / "fcgi-app.sock"
    (STATE / "nginx").mkdir()
    (STATE / "user_files").mkdir()
    app = Daemon("fcgi-app", [HERE / "bin/fcgi-app", "--socket", app_socket, "--socket-group", "www-data", "--user", "vivarium",
                              "--executor", f"unix:{SETTINGS['socket']}", "--user-files", STATE / "user_files"])
    wait_for_socket(app, app_socket)
    environment = {**os.environ, "PORT": str(PORT), "LISTEN_ADDRESS": "127.0.0.1", "NGINX_USER": "www-data"}
    conf = subprocess.run([HERE / "nginx/render", STATE, app_socket], env=environment, check=True, capture_output=True, text=True).stdout
    (STATE / "nginx/nginx.conf").write_text(conf)
    nginx = Daemon("nginx", ["nginx", "-e", "stderr", "-p", STATE / "nginx", "-c", STATE / "nginx/nginx.conf"])
    return [nginx, app]


def call(method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
    try:
        if body is None:
            connection.request(method, path)
        else:
            connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


def healthy():
    try:
        status, body = call("GET", "/api/health")
        return status == 200 and body.get("status") == "healthy"
    except OSError:
        return False


def run(code, path="/api/v1/execute", **more):
    status, body = call("POST", path, {"code": code, **more})
    if status != 200:
        raise AssertionError(f"{path} answered {status}: {body}")
    return body


def run_cgi(code):
    """The same application as a plain CGI program: one request, no server."""
    body = json.dumps({"code": code}).encode()
    environment = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/api/v1/execute", "SCRIPT_NAME": "", "PATH_INFO": "/api/v1/execute", "QUERY_STRING": "",
                   "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)), "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
                   "HTTP_HOST": "localhost"}
    got = subprocess.run([HERE / "bin/fcgi-app", "--user", "vivarium", "--executor", f"unix:{SETTINGS['socket']}"], env=environment, input=body, capture_output=True, timeout=PATIENCE)
    return json.loads(got.stdout.partition(b"\r\n\r\n")[2])


# ---- what is left -------------------------------------------------------------------------------


def sandbox_processes():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if UID_BASE < os.stat(f"/proc/{entry}").st_uid < UID_BASE + (1 << 20) and not is_pooled(int(entry)):
                    found.append(int(entry))
    return found


def is_pooled(pid):
    """The zygotes, which stay."""
    with contextlib.suppress(OSError):
        return "sandbox-" not in pathlib.Path(f"/proc/{pid}/cgroup").read_text()
    return True


def groups_of_ours():
    # os.walk does not mind folders that vanish
    return [pathlib.Path(folder) for folder, _, _ in os.walk(GROUPS) if os.path.basename(folder).startswith(GROUP)]


def sandbox_groups():
    return [name for group in groups_of_ours() for name in os.listdir(group) if name.startswith("sandbox-")]


def calm(pool=SETTINGS["pool"]):
    """Only the pool is there: its groups, and an init and an interpreter in each."""
    def rests():
        return len(sandbox_groups()) == pool and len(sandbox_processes()) == 2 * pool

    try:
        wait_until(rests, "")
        return True
    except AssertionError:
        say(f"    left: groups {sandbox_groups()}, processes {sandbox_processes()}")
        return False


def nothing_left():
    return not groups_of_ours() and not sandbox_processes()


# ---- what is checked ----------------------------------------------------------------------------

FORK_BOMB = """
import os
while True:
    try: os.fork()
    except OSError: pass
"""
FORKS = """
import os, time
for i in range(200):
    if os.fork() == 0:
        time.sleep(60); os._exit(0)
"""
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
print('gone')
"""


def outcome(result):
    return result["status"], result["reason"]


def check_one_shots():
    got = run("import sys\nprint(6 * 7)\nprint('e', file=sys.stderr)\n'last'")
    expect("a one-shot prints", (outcome(got), got["stdout"], got["stderr"], got["result"]), (("success", None), "42\n", "e\n", "'last'"))
    expect("stdin is given", run("print(input())", stdin="hello\n")["stdout"], "hello\n")
    expect("an exception is told", outcome(run("1/0")), ("error", "exception"))
    expect("the exit code is told", run("import sys; sys.exit(7)")["return_code"], 7)
    expect("a child process works", run("import subprocess\nprint(subprocess.run(['/bin/echo', 'hi'], capture_output=True).stdout)")["stdout"], "b'hi\\n'\n")
    expect("a crash is told", run("import ctypes; ctypes.string_at(0)")["signal"], signal.SIGSEGV)
    got = run("open('f', 'w').write('x'); import os; os.mkdir('d'); os.rename('f', 'd/g'); print(os.listdir('d'))\nopen('/tmp/t', 'w').write('y')\nopen('/dev/shm/s', 'w').write('z')")
    expect("the workspace, /tmp and /dev/shm can be written", (outcome(got), got["stdout"]), (("success", None), "['g']\n"))
    report("PermissionError" in run("open('x', 'w')", path="/api/execute")["error"], "restricted: no file can be opened")
    expect("as plain CGI", run_cgi("print('cgi')").get("stdout"), "cgi\n")


def check_limits():
    expect("wall time", outcome(run("import time; time.sleep(60)", timeout=2)), ("timeout", "wall_time"))
    got = run("while True: pass", timeout=30)
    expect("CPU time", outcome(got), ("timeout", "cpu_time"))
    report(0.97 <= got["usage"]["cpu_ms"] / SETTINGS["native_cpu_ms"] <= 1.5, "the CPU time is the kernel's", got["usage"])
    expect("output", outcome(run("while True: print('x' * 1000)")), ("failed", "output"))
    got = run("x = [bytearray(1 << 20) for i in range(1 << 14)]", timeout=30)
    expect("memory", outcome(got), ("failed", "memory"))
    report(got["usage"]["memory_peak_bytes"] > 100 << 20, "the peak is the kernel's", got["usage"])
    peak = run("x = b'x' * (40 << 20); del x")["usage"]["memory_peak_bytes"]
    report(40 << 20 < peak < 100 << 20, "the peak counts what was freed again", peak)
    got = run("import subprocess\nprint(subprocess.run(['python3', '-c', 'x = b\"x\" * (1 << 30)']).returncode)", timeout=30)
    expect("a child that takes too much memory is killed", got["stdout"], "-9\n")
    expect("processes", outcome(run(FORKS, timeout=20)), ("failed", "processes"))
    report(outcome(run(FORK_BOMB, timeout=4))[1] in ("wall_time", "cpu_time"), "a fork bomb ends by its time")
    got = run("import os\ntry:\n  for i in range(100):\n    with open('f%d' % i, 'wb') as f: f.write(bytes(1 << 20))\nfinally:\n  print(i)", timeout=30)
    report(outcome(got) == ("failed", "disk") and got["stdout"] in ("63\n", "64\n"), "disk", got)
    expect("a daemonised process does not hold up the answer", run(DAEMON)["stdout"], "gone\n")
    report(calm(), "nothing is left of these runs")


def check_session():
    status, body = call("POST", "/api/v1/sessions", {})
    expect("a session begins", status, 201)
    path = "/api/v1/sessions/" + body["id"]

    def cell(code, **more):
        return run(code, path=path + "/execute", **more)

    expect("a cell", outcome(cell("x = 41")), ("success", None))
    expect("a later cell sees it", cell("x + 1")["result"], "42")
    got = cell("x = 0; import ctypes; ctypes.string_at(0)")
    expect("a crash restores", (outcome(got), got["state"]), (("failed", "crash"), "restored"))
    expect("after the crash", cell("x")["result"], "41")
    got = cell("y = [bytearray(1 << 20) for i in range(1 << 14)]", timeout=30)
    expect("a memory bomb", outcome(got), ("failed", "memory"))
    expect("after the memory bomb", cell("x")["result"], "41")
    got = cell(FORK_BOMB, timeout=4)
    report(outcome(got)[1] in ("wall_time", "cpu_time"), "a fork bomb", got)
    expect("after the fork bomb", cell("x")["result"], "41")
    expect("undo takes a cell", outcome(cell("x = 5")), ("success", None))
    expect("undo", call("POST", path + "/undo", {})[0], 200)
    expect("after undo", cell("x")["result"], "41")
    expect("files are kept", outcome(cell("open('kept', 'w').write('k')")), ("success", None))
    expect("reset", call("POST", path + "/reset", {})[0], 200)
    expect("after reset", cell("open('kept').read(), 'x' in globals()")["result"], "('k', False)")
    expect("delete", call("DELETE", path)[0], 204)
    report(calm(), "nothing is left of the session")


def check_layout(base, daemon_leaf, pid):
    """Where the groups are, and that the kernel accepts them."""
    report((base / GROUP).is_dir(), f"our group is in {base}", groups_of_ours())
    group = base / GROUP
    expect("its children have controllers", set((group / "cgroup.subtree_control").read_text().split()) >= {"memory", "pids", "cpu"}, True)
    place = GROUPS / pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::/")
    expect("where the daemon is", place, base / "daemons" if daemon_leaf else base)


def briefly():
    """That limits are in force, where all else was checked before."""
    wait_until(healthy, "the service is healthy")
    expect("a one-shot prints", run("print(1)")["stdout"], "1\n")
    expect("memory", outcome(run("x = [bytearray(1 << 20) for i in range(1 << 14)]", timeout=30)), ("failed", "memory"))
    expect("processes", outcome(run(FORKS, timeout=20)), ("failed", "processes"))
    report(calm(), "nothing is left of these runs")


def doctor(prefix=(), **more):
    got = subprocess.run([*prefix, *executor_command(**more), "--doctor"], capture_output=True, text=True, timeout=2 * PATIENCE)
    return got.returncode, got.stdout, got.stderr


def check_doctor():
    status, table, errors = doctor()
    report(status == 0 and table.endswith("Every wall holds.\n"), "finds every wall", table + errors[-4000:])
    report(" v2  (mounted without favordynmods: " in table, "says v2, and what its mount lacks", table)
    report(nothing_left(), "nothing is left of it", groups_of_ours())


def in_cgroup_namespace(group):
    """The start of a command line: in this group, and seeing it as the root of all, which
    may not be written, as container engines have it."""
    script = 'echo 0 >"$0/cgroup.procs" && exec unshare --cgroup --mount sh -c "umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && mount -o remount,bind,ro /sys/fs/cgroup && exec \\"\\$@\\"" sh "$@"'
    return ["sh", "-c", script, group]


@contextlib.contextmanager
def serving(group=None, **more):
    daemon = start_executor(group, **more)
    try:
        wait_until(healthy, "the service is healthy")
        yield daemon
    finally:
        status = daemon.stop()
    expect("the executor stops", status, 0)
    report(nothing_left(), "nothing is left of it", (groups_of_ours(), sandbox_processes()))


def check_killed():
    """What a killed executor leaves is cleared by the next one."""
    daemon = start_executor()
    wait_until(healthy, "the service is healthy")
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("POST", "/api/v1/execute", json.dumps({"code": FORK_BOMB}), {"Content-Type": "application/json"})
    time.sleep(1)
    daemon.process.kill()
    daemon.process.wait()
    connection.close()
    with contextlib.suppress(FileNotFoundError):
        SETTINGS["socket"].unlink()
    with serving():
        expect("a killed executor's successor serves", run("print(1)")["stdout"], "1\n")
        report(calm(), "nothing is left of the killed one")


def check_refusals():
    few = GROUPS / "few"
    few.mkdir()
    (few / "cgroup.subtree_control").write_text("+pids +cpu")
    (few / "inner").mkdir()
    status, _, errors = doctor(in_cgroup_namespace(few / "inner"))
    expect("without the memory controller it does not start", status, 3)
    report("v2" in errors and "no controller memory;" in errors and "--allow-no-cgroups" in errors, "and says what is missing", errors)
    hidden = ["unshare", "--mount", "sh", "-c", 'umount -l /sys/fs/cgroup && exec "$@"', "sh"]
    status, _, errors = doctor(hidden)
    expect("without any control groups it does not start", status, 3)
    report("no cgroups are mounted" in errors, "and says what is missing", errors)
    daemon = Daemon("executor", [*hidden, *executor_command(allow_no_cgroups="on")])
    wait_for_socket(daemon, SETTINGS["socket"])
    wait_until(healthy, "the service is healthy")
    expect("--allow-no-cgroups on: it serves", run("print(1)")["stdout"], "1\n")
    expect("--allow-no-cgroups on: wall time", outcome(run("while True: pass", timeout=1)), ("timeout", "wall_time"))
    report("without limits on memory" in daemon.log.read_text(), "--allow-no-cgroups on: the log says so")
    expect("the executor stops", daemon.stop(), 0)


def check_container():
    """As in a container: a group that is not the true root looks like it."""
    unit = GROUPS / "container"
    unit.mkdir()
    subprocess.run(["mount", "-o", "remount,favordynmods", GROUPS], check=True)
    status, table, errors = doctor(in_cgroup_namespace(unit))
    report(status == 0 and " v2\n" in table, "the doctor finds every wall, and favordynmods", table + errors)


def checks_alone():
    """Nobody else manages the groups: all the ways of being started."""
    (GROUPS / "cgroup.subtree_control").write_text("+memory +pids +cpu")
    with section("the doctor"):
        check_doctor()
    front = start_front()
    with section("in the root group"):
        with serving() as daemon:
            check_layout(GROUPS, False, daemon.pid)
            check_one_shots()
            check_limits()
            check_session()
    with section("after a kill"):
        check_killed()
    with section("in a group of its own"):
        unit = GROUPS / "unit"
        unit.mkdir()
        with serving(unit) as daemon:
            check_layout(unit, True, daemon.pid)
            briefly()
    with section("in a group with others"):
        shared = GROUPS / "shared"
        shared.mkdir()
        other = Daemon("other", ["sleep", "1000"], shared)
        with serving(shared) as daemon:
            report((GROUPS / GROUP).is_dir(), "our group is in the root", groups_of_ours())
            briefly()
            expect("the other process was left alone", pathlib.Path(f"/proc/{other.pid}/cgroup").read_text(), "0::/shared\n")
        other.stop()
    with section("in a control group namespace"):
        check_container()
    with section("without controllers"):
        check_refusals()
    expect("fcgi-app and nginx stop", [daemon.stop() for daemon in front], [0, 0])


def checks_systemd():
    """As a unit; and beside systemd, in the group of another unit."""
    unit = GROUPS / "system.slice/vivarium-executor.service"
    front = start_front()

    def main_pid():
        return int(subprocess.run(["systemctl", "show", "--property=MainPID", "--value", "vivarium-executor"], capture_output=True, text=True).stdout)

    with section("as a unit"):
        write_config()
        subprocess.run(["systemctl", "start", "vivarium-executor"], check=True)
        wait_until(healthy, "the service is healthy")
        first = main_pid()
        check_layout(unit, True, first)
        check_session()
        briefly()
    with section("the unit starts again after a kill"):
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: main_pid() not in (0, first), "systemd started it again")
        wait_until(healthy, "the service is healthy")
        expect("it serves again", run("print(1)")["stdout"], "1\n")
        check_layout(unit, True, main_pid())
        report(calm(), "nothing is left of the killed one")
        subprocess.run(["systemctl", "stop", "vivarium-executor"], check=True)
        report(nothing_left(), "nothing is left of the unit", (groups_of_ours(), sandbox_processes()))
    with section("beside systemd"):
        with serving() as daemon:
            subprocess.run(["systemctl", "daemon-reload"], check=True)
            briefly()
    expect("fcgi-app and nginx stop", [daemon.stop() for daemon in front], [0, 0])


def checks_suite():
    """The tests against a running service that every machine has to pass."""
    global passed, failed
    state = pathlib.Path("/var/lib/vivarium")
    state.mkdir()
    for name in ("bin", "log", "nginx", "user_files"):
        (state / name).mkdir()
    shutil.chown(state / "nginx", "www-data", "www-data")
    shutil.chown(state / "user_files", "vivarium", "vivarium")
    for name in ("executor", "fcgi-app", "zygote"):
        shutil.copy(HERE / "bin" / name, state / "bin")
    sockets = state / "executor.sock", state / "fcgi-app.sock"
    (state / "executor.conf").write_text(f"socket = {sockets[0]}\npeer_user = vivarium\ncgroup_name = {GROUP}\n")
    (state / "fcgi-app.conf").write_text(f"socket = {sockets[1]}\nsocket_group = www-data\nuser = vivarium\nexecutor = unix:{sockets[0]}\nuser_files = {state}/user_files\n")
    environment = {**os.environ, "PORT": str(PORT), "VIVARIUM_URL": f"http://127.0.0.1:{PORT}", "VIVARIUM_STATE_DIR": str(state)}
    conf = subprocess.run([HERE / "nginx/render", state, sockets[1]], env=environment, check=True, capture_output=True, text=True).stdout
    (state / "nginx/nginx.conf").write_text(conf)
    supervisor = Daemon("supervise", [HERE / "scripts/supervise", state])
    wait_until(healthy, "the service is healthy")
    for file in sorted([*HERE.glob("tests/integration/test_*.py"), *HERE.glob("tests/hostile/test_*.py")]):
        if file.stem in ("test_lifecycle", "test_nginx_errors", "test_page", "test_readme", "test_up"):
            continue  # about scripts/up, and nginx by itself
        began = time.monotonic()
        with subprocess.Popen([sys.executable, HERE / "scripts/test.d/run_unittest.py", file], env=environment, stdout=subprocess.PIPE, text=True) as tests:
            for line in tests.stdout:
                passed += line.startswith("PASS: ")
                failed += line.startswith("FAIL: ")
                say(line.rstrip("\n"))
        say(f"--- {file.stem}: {time.monotonic() - began:.1f} s")
    expect("the service stops", supervisor.stop(), 0)
    report(nothing_left(), "nothing is left of it", (groups_of_ours(), sandbox_processes()))


# ---- the machine ----------------------------------------------------------------------------------


def raise_loopback():
    with socket.socket() as any_socket:
        request = struct.pack("16sh14x", b"lo", 0x41)  # up and running
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def power_off():
    say(f"{passed} passed, {failed} failed")
    time.sleep(0.5)
    ctypes.CDLL(None).reboot(0x4321FEDC)


def main():
    os.environ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    say(f"checks begin {time.clock_gettime(time.CLOCK_BOOTTIME):.1f} s after boot, Linux {os.uname().release}")
    try:
        raise_loopback()
        STATE.mkdir()
        {"alone": checks_alone, "systemd": checks_systemd, "suite": checks_suite}[sys.argv[1]]()
    except BaseException:
        report(False, "the checks come to their end", traceback.format_exc())
    power_off()


main()
