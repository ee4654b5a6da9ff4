from __future__ import annotations

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import vivarium
from conftest import URL
from vivarium import Displayed, Finished, InputWanted, Started, Stderr, Stdout
from vivarium._sse import Decoder, Message

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
SHOW = f"""
class Picture:
    def _repr_png_(self):
        import base64
        return base64.b64decode("{PIXEL}")

display(Picture())
"""


class Cut(threading.Thread):
    """A proxy on the way to the service that breaks the connections which carry an event stream, as
    soon as so many bytes of it have passed.
    """

    def __init__(self, after: list[int]) -> None:
        super().__init__(daemon=True)
        self._after = after
        self.broken = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        parts = urlsplit(URL)
        with client, socket.create_connection((parts.hostname or "", parts.port or 80)) as service:
            threading.Thread(target=self._pass, args=[client, service], daemon=True).start()
            answer, streamed = b"", 0
            while data := service.recv(65536):
                answer += data
                if self._after and (streamed or b"text/event-stream" in answer):
                    data = data[: self._after[0] - streamed]
                    streamed += len(data)
                client.sendall(data)
                if self._after and streamed >= self._after[0]:
                    self._after.pop(0)
                    self.broken += 1
                    break
                answer = answer[-100:]
            for end in (client, service):  # closing alone would wait for who still reads
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def cut_after() -> Iterator[Callable[..., Cut]]:
    made: list[Cut] = []

    def make(*after: int) -> Cut:
        made.append(Cut(list(after)))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def texts(events: list[Any], kind: type[Any]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def test_events_of_a_one_shot(client: Any) -> None:
    with client.stream("import sys\nprint('out')\nprint('err', file=sys.stderr)\n6 * 7") as stream:
        with pytest.raises(vivarium.VivariumError, match="not come to its end"):
            _ = stream.result
        events = list(stream)
    assert isinstance(events[0], Started) and isinstance(events[-1], Finished)
    assert texts(events, Stdout) == "out\n" and texts(events, Stderr) == "err\n"
    assert stream.result.result == "42" and stream.result.ok and stream.result.stdout == ""


def test_output_arrives_while_the_program_runs(client: Any) -> None:
    arrived: list[float] = []
    with client.stream("import time\nfor i in range(4):\n    print(i)\n    time.sleep(0.3)") as stream:
        for event in stream:
            if isinstance(event, Stdout):
                arrived.append(time.monotonic())
    assert len(arrived) >= 4 and arrived[-1] - arrived[0] > 0.6


def test_waiting_collects(session: Any) -> None:
    with session.stream("import sys\nprint('a')\nprint('b', file=sys.stderr)\n'ü'") as stream:
        result = stream.wait()
    assert (result.stdout, result.stderr, result.result) == ("a\n", "b\n", "'ü'")
    assert result.execution == stream.execution == 1 and stream.last_event_id


def test_a_stream_that_was_left_is_closed(session: Any) -> None:
    with session.stream("print('on')\nwhile True: pass", timeout=20) as stream:
        next(stream)
    with pytest.raises(vivarium.VivariumError, match="closed before its end"):
        stream.wait()
    with session.stream("'whole'") as stream:
        pass
    with pytest.raises(vivarium.VivariumError, match="closed before its end"):
        stream.wait()


def test_a_refusal_is_an_error_and_no_stream(client: Any) -> None:
    with pytest.raises(vivarium.NotFound), client.session("no-such").stream("1"):
        pass
    with pytest.raises(vivarium.InvalidField), client.stream(""):
        pass


def test_input_is_asked_for(session: Any) -> None:
    """As the program says: three prompts, three answers, in order."""
    prompts, printed = [], []
    with session.stream("for i in range(3): print(input('? '))", interactive=True) as stream:
        for event in stream:
            if isinstance(event, InputWanted):
                prompts.append(event.prompt)
                session.send_stdin(f"answer {len(prompts)}\n")
            elif isinstance(event, Stdout):
                printed.append(event.text)
    assert prompts == ["? "] * 3
    assert "".join(printed).replace("? ", "") == "answer 1\nanswer 2\nanswer 3\n"
    assert stream.result.ok


def test_the_end_of_input(session: Any) -> None:
    with session.stream("import sys\nprint(sys.stdin.read())", interactive=True) as stream:
        for event in stream:
            if isinstance(event, InputWanted):
                session.send_stdin("all of it", eof=True)
                break
        assert "all of it" in stream.wait().stdout


def test_interrupt_while_streaming(session: Any) -> None:
    with session.stream("print('on')\nwhile True: pass") as stream:
        for event in stream:
            if isinstance(event, Stdout):
                session.interrupt()
    assert stream.result.reason == "interrupted"


def test_a_picture_arrives(session: Any) -> None:
    with session.stream(SHOW) as stream:
        shown = [event.output for event in stream if isinstance(event, Displayed)]
    assert [one.png for one in shown] == [base64.b64decode(PIXEL)]
    result = session.execute(SHOW)
    assert [one.png for one in result.outputs] == [base64.b64decode(PIXEL)]


def test_detached_cells_go_on_and_can_be_followed(session: Any) -> None:
    code = "import time\nfor i in range(10):\n    print(i)\n    time.sleep(0.1)\n'end'"
    cell = session.start(code)
    assert cell.execution == 1
    seen = []
    with cell.follow() as stream:
        for event in stream:
            if isinstance(event, Stdout):
                seen.append(event.text)
                if len(seen) == 3:
                    break
        after = stream.last_event_id
    with session.cell(1).follow(after=after) as rest:
        result = rest.wait()
    assert "".join(seen) + result.stdout == "".join(f"{i}\n" for i in range(10))
    assert result.result == "'end'"
    assert session.cell(1).wait().stdout == "".join(f"{i}\n" for i in range(10))
    info = cell.info()
    assert not info.running and info.code == code and info.stdout.endswith("9\n")
    assert [one.execution for one in session.cells()] == [1]


def test_a_cell_that_runs_can_be_looked_at(session: Any) -> None:
    cell = session.start("import time\nprint('on')\ntime.sleep(60)")
    end = time.monotonic() + 30
    while not (info := cell.info()).stdout:
        assert time.monotonic() < end
        time.sleep(0.02)
    assert info.running and info.status is None and info.stdout == "on\n"
    session.interrupt()
    assert cell.wait().reason == "interrupted"


def test_a_broken_stream_is_taken_up_again(
    make_client: Callable[..., Any], cut_after: Callable[..., Cut]
) -> None:
    """Nothing is lost and nothing comes twice, wherever the connection breaks."""
    proxy = cut_after(700, 1000, 400)
    code = "import time\nfor i in range(40):\n    print(i)\n    time.sleep(0.02)"
    with make_client(proxy.url) as client, client.create_session() as session:
        with session.stream(code) as stream:
            result = stream.wait()
        assert proxy.broken == 3
        assert result.stdout == "".join(f"{i}\n" for i in range(40)) and result.ok


def test_a_broken_one_shot_is_lost(make_client: Callable[..., Any], cut_after: Callable[..., Cut]) -> None:
    proxy = cut_after(500)
    with make_client(proxy.url) as client, pytest.raises(vivarium.ConnectionLost):
        with client.stream("while True: print('x')") as stream:
            stream.wait()


def test_a_client_that_leaves_ends_its_cell(session: Any) -> None:
    with session.stream("print('on')\nwhile True: pass") as stream:
        next(stream)
    end = time.monotonic() + 20
    while session.info().state == "running":
        assert time.monotonic() < end, "the cell goes on"
        time.sleep(0.1)


def test_commands_stream(session: Any) -> None:
    with session.stream_run("echo a; sleep 0.5; echo b; exit 3") as stream:
        result = stream.wait()
    assert (result.stdout, result.return_code) == ("a\nb\n", 3)


def test_a_long_run_has_more_time_when_it_is_streamed(session: Any) -> None:
    with pytest.raises(vivarium.InvalidField):
        session.execute("1", timeout=60)
    with session.stream("1", timeout=60) as stream:
        assert stream.wait().result == "1"


def test_decoder_takes_any_pieces() -> None:
    text = ': hello\r\n\r\nid: 1.2\nevent: stdout\ndata: {"text": "\u2028ü"}\n\n'
    text += "data: a\ndata: b\n\nevent: cut\ndata"
    wanted = [Message("stdout", '{"text": "\u2028ü"}', "1.2"), Message("message", "a\nb", "1.2")]
    data = text.encode()
    for size in (1, 2, 7, len(data)):
        decoder = Decoder()
        got = []
        for at in range(0, len(data), size):
            got += decoder.feed(data[at : at + size])
        assert got == wanted
