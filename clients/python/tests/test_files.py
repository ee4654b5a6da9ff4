from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

import vivarium


def test_write_read_list_rename_delete(session: Any) -> None:
    written = session.files.write("a/ü b#?.txt", "ä\n")
    assert (written.path, written.size) == ("a/ü b#?.txt", 3) and written.etag
    assert session.files.read("a/ü b#?.txt") == "ä\n".encode()
    assert session.files.read_text("a/ü b#?.txt") == "ä\n"
    assert [one.path for one in session.files.list().files] == ["a"]
    listing = session.files.list(recursive=True)
    assert [(one.path, one.type) for one in listing.files] == [("a", "directory"), ("a/ü b#?.txt", "file")]
    assert not listing.truncated and listing.files[1].modified.year > 2000
    session.files.rename("a/ü b#?.txt", "b/c.txt")
    session.files.write("d.txt", b"d")
    with pytest.raises(vivarium.Conflict):
        session.files.rename("d.txt", "b/c.txt")
    session.files.rename("d.txt", "b/c.txt", replace=True)
    assert session.files.read("b/c.txt") == b"d"
    session.files.delete("b/c.txt")
    session.files.write("b/e.txt", b"")
    with pytest.raises(vivarium.Conflict):
        session.files.delete("b")
    session.files.delete("b", recursive=True)
    with pytest.raises(vivarium.NotFound):
        session.files.read("b/e.txt")


def test_conditions(session: Any) -> None:
    first = session.files.write("x", b"1", if_none_match="*")
    with pytest.raises(vivarium.PreconditionFailed):
        session.files.write("x", b"2", if_none_match="*")
    second = session.files.write("x", b"2", if_match=first.etag)
    assert second.etag != first.etag
    with pytest.raises(vivarium.PreconditionFailed):
        session.files.write("x", b"3", if_match=first.etag)
    assert session.files.read("x") == b"2"


def test_up_and_down_in_pieces(session: Any, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 8192)  # 2 MiB
    assert session.files.write("big.bin", source).size == 2 << 20
    session.files.download("big.bin", target)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(vivarium.NotFound):
        session.files.download("none", tmp_path / "none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_archives(session: Any, tmp_path: Path) -> None:
    packed = tmp_path / "in.tar"
    with tarfile.open(packed, "w") as archive:
        entry = tarfile.TarInfo("folder/one.txt")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"one"))
    session.files.write_tar(packed)
    assert session.files.read("folder/one.txt") == b"one"
    data = session.files.read_tar()
    session.reset(files=True)
    session.files.write_tar(data)
    assert session.files.read("folder/one.txt") == b"one"
    with pytest.raises(vivarium.ApiError):
        session.files.write_tar(b"no archive at all" * 100)


def test_paths_that_lead_out_are_refused(session: Any) -> None:
    for path in ["a/../../x", "..", ".", "a/.", "/etc/passwd"]:
        with pytest.raises((vivarium.InvalidField, vivarium.BadRequest), match="path"):
            session.files.write(path, b"")
        with pytest.raises((vivarium.InvalidField, vivarium.BadRequest), match="path"):
            session.files.delete(path)
    assert session.info().id == session.id
