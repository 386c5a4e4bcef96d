"""The pointer is read whole or not at all, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
import time

import pytest

from loanapp.core.home import Home
from loanapp.core.store.pointer import ModelUri, Pointer, write_atomically

WRITER = """
import sys
from pathlib import Path
from loanapp.core.store.pointer import ModelUri, Pointer
pointer = Pointer(Path(sys.argv[1]))
number = 0
print("ready", flush=True)
while True:
    number += 1
    pointer.write(ModelUri("loanapp" * 9, str(number)))
"""


def test_what_is_written_is_read(tmp_path):
    pointer = Pointer(tmp_path / "models" / "uri.txt")
    assert pointer.read() is None
    assert pointer.stamp() is None
    pointer.write(ModelUri("loanapp", "3"))
    assert pointer.read() == ModelUri("loanapp", "3")
    assert (tmp_path / "models" / "uri.txt").read_text() == "models:/loanapp/3\n"


def test_the_stamp_changes_with_every_write(tmp_path):
    pointer = Pointer(tmp_path / "uri.txt")
    stamps = set()
    for version in range(20):
        pointer.write(ModelUri("loanapp", str(version % 2)))
        stamps.add(pointer.stamp())
    assert len(stamps) == 20


@pytest.mark.parametrize("line", ["", "models:/loanapp", "../../etc/passwd", "models:/a/b", "\0"])
def test_a_line_that_names_no_version_is_no_pointer(tmp_path, line):
    (tmp_path / "uri.txt").write_text(line)
    assert Pointer(tmp_path / "uri.txt").read() is None


def test_a_writer_killed_at_any_moment_leaves_a_whole_line(tmp_path):
    home = Home(tmp_path)
    home.make()
    for delay in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home.pointer)], stdout=subprocess.PIPE
        ) as writer:
            writer.stdout.readline()
            time.sleep(0.01 + delay / 200)
            os.kill(writer.pid, signal.SIGKILL)
        assert Pointer(home.pointer).read() is not None
    home.sweep()
    assert [p.name for p in home.models.iterdir() if p.is_file()] == [home.pointer.name]


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "uri.txt"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
