"""Programs whose output is followed, and followers that come at the worst moment."""

import json
import os
import socket
import struct
import sys
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import URL, Host, NothingLeft, Session, connect, needs_host, read, wait_until


def follow(session, execution, after):
    """All that a follower is told, as bytes."""
    connection = connect()
    connection.request("GET", f"{session.path}/cells/{execution}", None, {"Accept": "text/event-stream", "Last-Event-ID": after})
    try:
        return connection.getresponse().read()
    finally:
        connection.close()


class Followers(NothingLeft):
    def test_an_event_that_grows_behind_a_follower(self):
        """A program that writes what would be an event's length, where a follower waits for the next
        event: it is text, and no word of how much of the executor's memory to send."""
        code = ("import os, time\n"
                "time.sleep(0.6)\n"
                "os.write(1, b'first')\n"
                "while not os.path.exists('go'): time.sleep(0.02)\n"
                f"os.write(1, {struct.pack('<II', 200000, 64)!r} + b'A' * 50)\n"
                "time.sleep(0.1)\n"
                "os.write(2, b'second')\n")
        with Session() as session:
            connection = session.begin(code, detach=True)
            wait_until(lambda: session.call("GET", "/cells").json["cells"], "it has begun")
            connection.close()  # nobody has read the first event
            wait_until(lambda: session.call("GET", "/cells").json["cells"][0]["stdout"] == "first", "it has written")
            follower = connect()
            follower.request("GET", f"{session.path}/cells/1", None, {"Accept": "text/event-stream", "Last-Event-ID": "1.1"})
            response = follower.getresponse()
            self.assertIn(b"event: start", response.readline())
            session.call("PUT", "/files/go")
            told = response.read()
            follower.close()
            self.assertLess(len(told), 2000, told[:500])
            self.assertIn(b"A" * 50, told)
            self.assertIn(b'"second"', told)

    def test_odd_last_event_ids(self):
        with Session() as session:
            session.execute("print('a'); print('b')")
            for after in ("", "0", "1", "1.", ".1", "1.0", "1.1", "1.99", "1.18446744073709551615", "1.999999999999999999", "-1.-1", "2.1", "1.1.1", "nan", "1e3", "%00", "\xff"):
                with self.subTest(after=after):
                    told = follow(session, 1, after)
                    self.assertIn(b"event: start", told)
                    self.assertIn(b"event: result", told)


RING = """
import ctypes, mmap, os, platform, signal, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
number = {'x86_64': 216, 'aarch64': 234}[platform.machine()]
serial = 10000
def ring(note, length):
    global serial
    serial += 1
    ctypes.memmove(box + 40, struct.pack('<I', length), 4)  # report_length
    libc.syscall(ctypes.c_long(number), ctypes.c_long(note), ctypes.c_long(0), ctypes.c_long(serial), ctypes.c_long(0), ctypes.c_long(0))
for line in open('/proc/self/maps'):
    words = line.split()
    if words[1][3] == 's':
        box, end = (int(n, 16) for n in words[0].split('-'))
        break
"""


def open_stream(session, code, **more):
    """A stream of events of which little fits on its way: nobody has read any."""
    body = json.dumps({"code": code, **more}).encode()
    parts = urllib.parse.urlsplit(URL)
    stream = socket.socket()
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stream.connect((parts.hostname, parts.port))
    stream.sendall(f"POST {session.path}/execute HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAccept: text/event-stream\r\n"
                   f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return stream


class Unread(NothingLeft):
    """What a program says while nobody reads must not be kept in the daemons."""

    def memory(self):
        """Of the executor: its own, and what it has of others' mailboxes."""
        lines = dict(line.split(":") for line in read(f"/proc/{Host().pid('executor')}/status").splitlines())
        return int(lines["VmRSS"].split()[0]) / 1024

    @needs_host
    def test_asking_without_waiting(self):
        code = RING + ("signal.signal(signal.SIGALRM, lambda *_: None)\n"
                       "child = os.fork()\n"
                       "while not child: os.kill(os.getppid(), signal.SIGALRM); time.sleep(0.0002)\n"
                       "ctypes.memset(box + 4096 + (2 << 20), 65, 8000)\n"
                       "end = time.monotonic() + 2\n"
                       "while time.monotonic() < end: ring(5, 8000)\n"
                       "os.kill(child, 9)\n"
                       "open('asked', 'w')\n")
        with Session() as session:
            before = self.memory()
            stream = open_stream(session, code, interactive=True)
            wait_until(lambda: session.call("GET", "/files/asked").status == 200, "it has asked and asked")
            self.assertLess(self.memory() - before, 10)
            stream.close()

    @needs_host
    def test_showing_more_than_is_read(self):
        """It waits, as it does when it writes; nothing of it is lost."""
        code = "for i in range(60): display({'text/plain': f'{i:03} ' + 'x' * 120000})\nopen('shown', 'w')"
        with Session() as session:
            session.execute("1")
            before = self.memory()
            stream = open_stream(session, code)
            wait_until(lambda: session.call("GET", "/cells").json["cells"], "it has begun")
            time.sleep(1)  # in which it would have come to its end
            self.assertEqual(session.call("GET", "/files/shown").status, 404)
            self.assertLess(self.memory() - before, 6)
            told = b"".join(iter(lambda: stream.recv(1 << 16), b""))
            stream.close()
            self.assertEqual((told.count(b"event: display"), told.count(b'"status":"success"')), (60, 1))

    @needs_host
    def test_programs_and_reports_in_the_mailbox(self):
        """They lie in memory that counts for the executor, where it is the first to touch it."""
        sessions = [Session() for _ in range(12)]
        try:
            self.memory()
            for session in sessions:
                self.assertEqual(session.execute("x = 1 #" + "x" * 1000000)["status"], "success")
                hole = RING + "libc.madvise(ctypes.c_void_p(box), ctypes.c_size_t(end - box), 9)\nring(4, 2 << 20)"
                self.assertEqual(session.execute(hole)["status"], "success")
            lines = dict(line.split(":") for line in read(f"/proc/{Host().pid('executor')}/status").splitlines())
            self.assertLess(int(lines["RssShmem"].split()[0]), 6000)
        finally:
            for session in sessions:
                session.close()


if __name__ == "__main__":
    unittest.main()
