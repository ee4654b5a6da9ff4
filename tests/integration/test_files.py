"""Saved files: list, save, load, delete, and what a killed application leaves."""

import os
import sys
import threading
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import PATIENCE, Service, call, connect, needs_host


def save(filename, code, **more):
    return call("POST", "/api/save", {"filename": filename, "code": code}, **more)


def load(filename, **more):
    return call("GET", "/api/load/" + urllib.parse.quote(filename, safe=""), **more)


def delete(filename, **more):
    return call("DELETE", "/api/delete/" + urllib.parse.quote(filename, safe=""), **more)


class SavedFiles(unittest.TestCase):
    def setUp(self):
        self.name = f"test-{os.urandom(6).hex()}.py"
        self.addCleanup(delete, self.name)

    def test_round_trip(self):
        content = "print('h\u00e9 \U0001f4a9')\n\0\r\n\ttail"
        got = save(self.name, content)
        self.assertEqual((got.status, got.json), (200, {"message": "File saved successfully", "filename": self.name}))
        got = load(self.name)
        self.assertEqual((got.status, got.json), (200, {"code": content, "filename": self.name}))
        listed = [f for f in call("GET", "/api/files").json["files"] if f["filename"] == self.name]
        self.assertEqual([f["size"] for f in listed], [len(content.encode())])
        self.assertRegex(listed[0]["modified"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")
        self.assertEqual(delete(self.name).status, 200)
        for again in (load(self.name), delete(self.name)):
            self.assertEqual((again.status, again.json["detail"]), (404, "File not found"))

    def test_replaced_and_newest_first(self):
        other = "other-" + self.name
        self.addCleanup(delete, other)
        self.assertEqual(save(self.name, "one").status, 200)
        time.sleep(0.02)
        self.assertEqual(save(other, "two").status, 200)
        time.sleep(0.02)
        self.assertEqual(save(self.name, "").status, 200)
        self.assertEqual(load(self.name).json["code"], "")
        names = [f["filename"] for f in call("GET", "/api/files").json["files"] if self.name in f["filename"]]
        self.assertEqual(names, [self.name, other])

    def test_parameters_of_existing_clients(self):
        query = urllib.parse.urlencode({"code": "in the query", "filename": self.name})
        self.assertEqual(call("POST", "/api/save?" + query).status, 200)
        self.assertEqual(load(self.name).json["code"], "in the query")
        connection = connect()
        self.addCleanup(connection.close)
        connection.request("POST", "/api/save", urllib.parse.urlencode({"code": "a form & more", "filename": self.name}),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(load(self.name).json["code"], "a form & more")

    def test_names(self):
        for name in ("", ".", "..", ".hidden", "a/b", "a\\b", "a\0b", "a\nb", "\x7f", "x" * 256, "\u00e9" * 128):
            with self.subTest(name):
                got = save(name, "x")
                self.assertIn(got.status, (400, 422), got)
                self.assertIsInstance(got.json["detail"], str)
        for name in ("x" * 255, "\u00e9" * 127, "a b", "-rf", "*", "%2e%2e", "a:b", "\u202egpj.py"):
            with self.subTest(name):
                self.assertEqual(save(name, name).status, 200)
                self.assertEqual(load(name).json["code"], name)
                self.assertEqual(delete(name).status, 200)

    def test_size(self):
        self.assertEqual(save(self.name, "x" * (1 << 20)).status, 200)
        got = save(self.name, "y" * ((1 << 20) + 1))
        self.assertEqual(got.status, 413)
        self.assertIn("code", got.json["detail"])
        self.assertEqual(load(self.name).json["code"][:2], "xx")

    def test_writers_do_not_mix(self):
        contents = [letter * 50000 for letter in "abcd"]
        bad = []

        def write(content):
            for _ in range(20):
                if save(self.name, content).status != 200:
                    bad.append(content[0])

        threads = [threading.Thread(target=write, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        seen = 0
        while any(thread.is_alive() for thread in threads):
            got = load(self.name)
            if got.status == 200:
                seen += 1
                self.assertIn(got.json["code"], contents)
        for thread in threads:
            thread.join()
        self.assertEqual(bad, [])
        self.assertGreater(seen, 0)


@needs_host
class KilledApplication(unittest.TestCase):
    """kill -9 while files are saved: every file is whole, the old one or the new one."""

    def test_every_file_is_whole(self):
        with Service() as own:
            done = [0]
            going = threading.Event()

            def versions(number):
                return {f"{number:04d}:{version}:" + str(version) * 20000 for version in (1, 2)}

            for number in range(0, 200, 2):
                self.assertEqual(save(f"f{number}.py", f"{number:04d}:1:" + "1" * 20000, url=own.url).status, 200)

            def write(part):
                for number in range(part, 1000, 4):
                    if done[0] < 0:
                        return
                    try:
                        save(f"f{number % 200}.py", f"{number % 200:04d}:2:" + "2" * 20000, url=own.url, timeout=10)
                        done[0] += 1
                    except OSError:
                        pass
                    if done[0] > 40:
                        going.set()

            threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(5):
                self.assertTrue(going.wait(PATIENCE))
                pid = own.kill("fcgi-app")
                own.wait_replaced("fcgi-app", pid)
                going.clear()
                if not any(thread.is_alive() for thread in threads):
                    break
            for thread in threads:
                thread.join()
            own.wait_healthy()
            found = 0
            for number in range(200):
                got = load(f"f{number}.py", url=own.url)
                if got.status == 200:
                    found += 1
                    self.assertIn(got.json["code"], versions(number), f"f{number}.py is torn")
                else:
                    self.assertEqual((got.status, number % 2), (404, 1), "an old file is lost")
            self.assertGreaterEqual(found, 100)
            names = {f["filename"] for f in call("GET", "/api/files", url=own.url).json["files"]}
            self.assertEqual(len(names), found, "half-written files are listed")

    def test_too_many(self):
        with Service(FCGI_APP_SAVED_FILES="3") as own:
            for number in range(3):
                self.assertEqual(save(f"f{number}", "x", url=own.url).status, 200)
            got = save("one-more", "x", url=own.url)
            self.assertEqual(got.status, 507, got)
            self.assertIsInstance(got.json["detail"], str)
            self.assertEqual(save("f1", "replaced", url=own.url).status, 200)
            self.assertEqual(load("f1", url=own.url).json["code"], "replaced")


if __name__ == "__main__":
    unittest.main()
