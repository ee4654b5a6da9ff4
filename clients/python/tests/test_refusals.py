"""A service that is full, that is away, and a server that is another one."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import vivarium
from vivarium._retry import Attempts, seconds_of


@pytest.fixture
def other_server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<h1>Hello</h1>"
            self.send_response(500 if "live" in self.path else 200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_full_service_is_asked_again(
    make_client: Callable[..., Any], own_service: Callable[..., Any]
) -> None:
    url = own_service(EXECUTOR_SESSIONS="1").url
    with make_client(url) as client, client.create_session() as first:
        with make_client(url, retry=vivarium.Retry(attempts=1)) as hasty:
            with pytest.raises(vivarium.Unavailable) as raised:
                hasty.create_session()
            assert raised.value.retry_after == 5

        threading.Timer(0.5, first.delete).start()
        began = time.monotonic()
        with client.create_session() as second:
            assert second.execute("1").ok
        assert 5 <= time.monotonic() - began < 20


def test_nobody_listens(make_client: Callable[..., Any], closed_port: int) -> None:
    with make_client(f"http://127.0.0.1:{closed_port}") as client:
        with pytest.raises(vivarium.ConnectionFailed, match=f"127.0.0.1:{closed_port}"):
            client.info()
        with pytest.raises(vivarium.ConnectionFailed), client.stream("1"):
            pass


def test_another_server(make_client: Callable[..., Any], other_server: str) -> None:
    with make_client(other_server) as client:
        with pytest.raises(vivarium.UnexpectedAnswer, match="text/html"):
            client.info()
        with pytest.raises(vivarium.ApiError, match=r"500.*Hello"):
            client.live()


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVARIUM_URL", "http://sandbox.example:81/")
    assert vivarium.Client().url == "http://sandbox.example:81"
    assert vivarium.Client("http://other.example").url == "http://other.example"
    monkeypatch.delenv("VIVARIUM_URL")
    assert vivarium.Client().url == "http://127.0.0.1:5000"


def test_attempts_are_bounded() -> None:
    attempts = Attempts(vivarium.Retry(attempts=3))
    for _ in range(2):
        pause = attempts.wait_after(503, 1)
        assert pause is not None and 1 <= pause <= 1.25
    assert attempts.wait_after(503, 1) is None
    assert Attempts(vivarium.Retry()).wait_after(503, None) is None
    assert Attempts(vivarium.Retry()).wait_after(500, 1) is None
    assert Attempts(vivarium.Retry(longest_wait=5)).wait_after(429, 60) is None
    total = Attempts(vivarium.Retry(attempts=100, total_wait=5))
    pauses = []
    while (pause := total.wait_after(429, 1)) is not None:
        pauses.append(pause)
    assert 3 <= sum(pauses) <= 5


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("7") == 7
    assert seconds_of("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert seconds_of(None) is None and seconds_of("soon") is None
