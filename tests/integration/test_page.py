"""The page for browsers: who gets it, under which policy, and that nothing else is served."""

import gzip
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support"))
from service import ROOT, call, connect

BUILT = os.path.join(ROOT, "web", "dist")
MOST_COMPRESSED = 400_000  # bytes of the whole page on its way


def get(path, method="GET", **headers):
    """Status, headers and body of a request with these headers; _ stands for a dash."""
    connection = connect()
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class TestRoot(unittest.TestCase):
    def kind(self, accept):
        status, headers, body = get("/", **({"Accept": accept} if accept is not None else {}))
        self.assertEqual(status, 200)
        return "page" if b"<!doctype html>" in body else "ping" if body == b"ping" else body

    def test_programs_get_the_sign_of_life(self):
        for accept in (None, "*/*", "text/plain", "application/json, text/plain, */*", "text/html;q=0, */*", "text/plain, text/html;q=0.5", "x-text/html"):
            with self.subTest(accept=accept):
                self.assertEqual(self.kind(accept), "ping")

    def test_browsers_get_the_page(self):
        for accept in ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "text/html", "text/plain;q=0.5, text/html",
                       "application/xhtml+xml, TEXT/HTML;q=0.9", "text/html;q=0.9, text/plain;q=0.5"):
            with self.subTest(accept=accept):
                self.assertEqual(self.kind(accept), "page")

    def test_a_cache_can_tell_them_apart(self):
        _, headers, _ = get("/", Accept="text/html")
        self.assertIn("Accept", re.split(", *", ", ".join(headers.get_all("Vary"))))


class TestPage(unittest.TestCase):
    def test_the_policy_allows_nothing_within_the_page(self):
        for path, accept in (("/", "text/html"), ("/static/app.js", "*/*"), ("/static/index.html", "*/*")):
            _, headers, _ = get(path, Accept=accept)
            policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
            self.assertEqual(policy["default-src"], "'none'")
            self.assertEqual(policy["script-src"], "'self'")
            self.assertEqual(policy["style-src"], "'self'")
            self.assertEqual(policy["frame-ancestors"], "'none'")
            self.assertNotIn("unsafe", headers["Content-Security-Policy"])
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")

    def test_it_is_what_the_tree_holds(self):
        for name in os.listdir(BUILT):
            with open(os.path.join(BUILT, name), "rb") as file:
                built = file.read()
            status, headers, body = get("/static/" + name)
            self.assertEqual(status, 200)
            self.assertEqual(body, built)
            self.assertIn(headers.get_content_type(), ("text/html", "text/css", "text/javascript", "image/svg+xml", "text/plain"))

    def test_it_comes_from_here_only(self):
        for name in ("index.html", "page.css"):
            with open(os.path.join(BUILT, name), encoding="utf-8") as file:
                text = file.read().replace("http://www.w3.org/2000/svg", "")
            self.assertNotRegex(text, r"https?://|src=.?//|<style|<script>|\sstyle=|\son[a-z]+=")

    def test_it_is_small(self):
        total = 0
        for name in os.listdir(BUILT):
            _, headers, body = get("/static/" + name, Accept_Encoding="gzip")
            if headers["Content-Encoding"] == "gzip":
                gzip.decompress(body)
            total += len(body)
        self.assertLess(total, MOST_COMPRESSED)

    def test_a_second_visit_is_answered_by_its_etag(self):
        _, headers, _ = get("/static/app.js")
        status, _, body = get("/static/app.js", If_None_Match=headers["ETag"])
        self.assertEqual((status, body), (304, b""))

    def test_nothing_else_is_served(self):
        for path in ("/static", "/static/nothing.js", "/static/../nginx.conf", "/static/%2e%2e/nginx.conf", "/static../nginx.conf", "/index.html", "/app.js", "/web/dist/app.js"):
            with self.subTest(path=path):
                status, headers, _ = get(path)
                self.assertEqual((status, headers.get_content_type()), (404, "application/problem+json"))

    def test_it_is_read_only(self):
        for method in ("POST", "PUT", "DELETE"):
            answer = call(method, "/static/app.js")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.json["status"], 405)


if __name__ == "__main__":
    unittest.main()
