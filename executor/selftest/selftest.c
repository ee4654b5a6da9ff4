#include "executor/selftest/selftest.h"

#include "common/mailbox.h"

static const char enable_userns[] =
	"allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
	"user.max_user_namespaces > 0, kernel.apparmor_restrict_unprivileged_userns=0";
static const char report_it[] = "this is a defect of Vivarium or of the kernel: do not serve";

const struct wall walls[] = {
	{ "user-namespace", "uids inside are not the host's", enable_userns },
	{ "pid-namespace", "other processes do not exist", enable_userns },
	{ "mount-namespace", "other files do not exist", enable_userns },
	{ "network-namespace", "no interface, not even loopback", enable_userns },
	{ "ipc-namespace", "no shared memory or queues of others", enable_userns },
	{ "uts-namespace", "the host's name is not shown", enable_userns },
	{ "cgroup-namespace", "the place in the group tree is not shown", enable_userns },
	{ "identity", "uid 1000 inside, no group of others", report_it },
	{ "capabilities", "none in any set, none in the bounding set", report_it },
	{ "no-new-privileges", "set-uid programs gain nothing", report_it },
	{ "seccomp", "a filter is on", "boot a kernel with CONFIG_SECCOMP_FILTER" },
	{ "mount-calls", "mount, unshare, ptrace, bpf, keyctl are refused", report_it },
	{ "sockets", "no socket but socketpair", report_it },
	{ "processes-hidden", "the init is not shown",
	  "mount procfs with hidepid: Linux 5.8 or newer" },
	{ "descriptors", "nothing but standard input and output is open", report_it },
	{ "read-only-root", "/usr, /etc, /dev, / cannot be written", report_it },
	{ "host-files", "no folder of the host but the listed ones",
	  "look at the setting root_paths" },
	{ "workspace-limit", "files end at the workspace's limit",
	  "tmpfs needs size and nr_inodes" },
	{ "process-limit", "forks end at the limit", "enable the pids cgroup controller" },
	{ "memory-limit", "memory ends at the limit", "enable the memory cgroup controller" },
	{ "readonly-profile", "nothing can be written by name", report_it },
	{ "restricted-profile", "no process can be started", report_it },
};

const size_t wall_count = sizeof walls / sizeof *walls;

/* Prints "NAME ok" or "NAME broken: why", a line a wall. %s: the daemon's own
 * namespaces, as a Python dictionary. Nothing here is trusted: a line that is
 * missing counts as broken. */
static const char try_everything[] =
	"import ctypes, os, socket, subprocess, sys\n"
	"HOST = %s\n"
	"libc = ctypes.CDLL(None, use_errno=True)\n"
	"def say(name, why):\n"
	"    print(name, 'broken: ' + str(why) if why else 'ok', flush=True)\n"
	"def check(name):\n"
	"    def run(f):\n"
	"        try: why = f()\n"
	"        except BaseException as e: why = repr(e)\n"
	"        say(name, why)\n"
	"    return run\n"
	"for ns in ('user', 'pid', 'mnt', 'net', 'ipc', 'uts', 'cgroup'):\n"
	"    long = {'mnt': 'mount', 'net': 'network'}.get(ns, ns)\n"
	"    @check(long + '-namespace')\n"
	"    def _():\n"
	"        here = os.readlink('/proc/self/ns/' + ns)\n"
	"        return 'shared with the host' if here == HOST[ns] else None\n"
	"status = dict(l.rstrip('\\n').split(':\\t', 1) for l in open('/proc/self/status') if "
	"':\\t' in l)\n"
	"@check('identity')\n"
	"def _():\n"
	"    ids = os.getresuid() + os.getresgid()\n"
	"    if set(ids) != {1000}: return ids\n"
	"    if set(os.getgroups()) - {1000, 65534}: return os.getgroups()\n"
	"    with open('/proc/self/uid_map') as f:\n"
	"        if any(int(l.split()[1]) < 65536 for l in f): return 'mapped to a real user'\n"
	"@check('capabilities')\n"
	"def _():\n"
	"    return [k for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb') if "
	"int(status[k], 16)]\n"
	"@check('no-new-privileges')\n"
	"def _(): return status['NoNewPrivs'] != '1'\n"
	"@check('seccomp')\n"
	"def _(): return status['Seccomp'] != '2'\n"
	"def allowed(f, *a):\n"
	"    ctypes.set_errno(0)\n"
	"    return f(*a) != -1 or ctypes.get_errno() not in (1, 13, 38)\n"
	"@check('mount-calls')\n"
	"def _():\n"
	"    bad = []\n"
	"    if allowed(libc.mount, b'x', b'/tmp', b'tmpfs', 0, None): bad.append('mount')\n"
	"    if allowed(libc.umount2, b'/proc', 2): bad.append('umount2')\n"
	"    for flag in (0x10000000, 0x20000, 0x40000000): \n"
	"        if allowed(libc.unshare, flag): bad.append('unshare')\n"
	"    if allowed(libc.ptrace, 16, 1, 0, 0): bad.append('ptrace')\n"
	"    if allowed(libc.setns, 0, 0): bad.append('setns')\n"
	"    if allowed(libc.chroot, b'/tmp'): bad.append('chroot')\n"
	"    return bad\n"
	"@check('sockets')\n"
	"def _():\n"
	"    bad = []\n"
	"    for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, 16, 17, 38, 40):\n"
	"        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW):\n"
	"            try: socket.socket(family, kind); bad.append((family, kind))\n"
	"            except PermissionError: pass\n"
	"    socket.socketpair()\n"
	"    return bad\n"
	"@check('processes-hidden')\n"
	"def _():\n"
	"    seen = [p for p in os.listdir('/proc') if p.isdigit() and int(p) != os.getpid()]\n"
	"    return seen or os.path.exists('/proc/sys') or os.path.exists('/proc/1/status')\n"
	"@check('descriptors')\n"
	"def _():\n"
	"    found = []\n"
	"    for fd in range(3, 1024):\n"
	"        try: os.fstat(fd); found.append(fd)\n"
	"        except OSError: pass\n"
	"    return found\n"
	"@check('read-only-root')\n"
	"def _():\n"
	"    bad = []\n"
	"    for d in ('/', '/usr', '/usr/lib', '/etc', '/dev', '/var', '/run', '/home'):\n"
	"        try: open(d + '/probe', 'w'); bad.append(d)\n"
	"        except OSError: pass\n"
	"    return bad\n"
	"@check('host-files')\n"
	"def _():\n"
	"    known = {'bin', 'sbin', 'lib', 'lib64', 'lib32', 'libx32', 'proc', 'workspace', "
	"'tmp', 'dev',\n"
	"             'etc', 'usr', 'var', 'run', 'home'}\n"
	"    more = set(os.listdir('/')) - known\n"
	"    return [d for d in more if os.path.exists('/' + d + '/shadow')] or \\\n"
	"        [d for d in ('run', 'home', 'tmp', 'workspace') if os.listdir('/' + d)] or \\\n"
	"        os.path.exists('/etc/shadow')\n"
	"@check('workspace-limit')\n"
	"def _():\n"
	"    total = 0\n"
	"    try:\n"
	"        for i in range(4096):\n"
	"            fd = os.open('f%%d' %% i, os.O_WRONLY | os.O_CREAT)\n"
	"            os.posix_fallocate(fd, 0, 1 << 20)\n"
	"            os.close(fd); total += 1\n"
	"        return 'wrote %%d MiB' %% total\n"
	"    except OSError as e: return None if e.errno in (27, 28) else repr(e)\n"
	"    finally:\n"
	"        for i in range(total + 1):\n"
	"            try: os.unlink('f%%d' %% i)\n"
	"            except OSError: pass\n"
	"print('python', sys.version.split()[0])\n"
	"try:\n"
	"    from importlib.metadata import distributions\n"
	"    for d in distributions(): print('package', d.metadata['Name'] + '==' + d.version)\n"
	"except Exception: pass\n";

static const char try_forks[] = "import os, time\n"
				"r, w = os.pipe(); n = 0\n"
				"try:\n"
				"    while n < 10000:\n"
				"        if os.fork() == 0:\n"
				"            os.close(w); os.read(r, 1); os._exit(0)\n"
				"        n += 1\n"
				"    print('process-limit broken: forked', n)\n"
				"except OSError as e: print('process-limit ok')\n";

static const char try_memory[] = "x = [bytearray(1 << 20) for i in range(1 << 14)]\n";

static const char try_writing[] =
	"import os\n"
	"bad = []\n"
	"tries = {'open': lambda: open('x', 'w'), 'mkdir': lambda: os.mkdir('d'),\n"
	"         'remove': lambda: os.remove('nothing'), 'rename': lambda: os.rename('a', 'b'),\n"
	"         'symlink': lambda: os.symlink('a', 'b'), 'chmod': lambda: os.chmod('/tmp', "
	"0o700)}\n"
	"for name, f in tries.items():\n"
	"    try: f(); bad.append(name)\n"
	"    except PermissionError as e:\n"
	"        if e.errno != 13: bad.append(name)\n"
	"    except OSError: bad.append(name)\n"
	"print('readonly-profile', 'broken: %s' % bad if bad else 'ok')\n";

static const char try_starting[] =
	"import ctypes, os, subprocess\n"
	"bad = []\n"
	"tries = {'fork': os.fork, 'subprocess': lambda: subprocess.run(['/bin/true']),\n"
	"         'exec': lambda: os.execv('/bin/true', ['true'])}\n"
	"for name, f in tries.items():\n"
	"    try:\n"
	"        if f() == 0: os._exit(0)\n"
	"        bad.append(name)\n"
	"    except PermissionError: pass\n"
	"    except OSError: bad.append(name)\n"
	"libc = ctypes.CDLL(None)\n" /* os.system() would only ask the audit hook */
	"if libc.system(b'true') == 0: bad.append('system')\n"
	"print('restricted-profile', 'broken: %s' % bad if bad else 'ok')\n";

const struct probe probes[] = {
	{ .code = try_everything },
	{ .code = try_forks, .needs_cgroups = true },
	{ .code = try_memory,
	  .wall = "memory-limit",
	  .ends_by = REASON_MEMORY,
	  .needs_cgroups = true },
	{ .code = try_writing, .flags = MAILBOX_READONLY },
	{ .code = try_starting, .flags = MAILBOX_RESTRICTED },
};

const size_t probe_count = sizeof probes / sizeof *probes;
