"""Programs whose output is followed, and followers that come at the worst moment."""

import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import NothingLeft, Session, connect, wait_until


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


if __name__ == "__main__":
    unittest.main()
