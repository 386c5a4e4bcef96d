"""The pointer is read whole or not at all, whatever happens while it is written."""

import os
import subprocess
import sys

import pytest

from loanapp.core.home import Home
from loanapp.core.store.pointer import ModelUri, Pointer, write_atomically

KILLING = """
import os, random, signal, sys, time
from contextlib import suppress
from pathlib import Path
from loanapp.core.store.pointer import ModelUri, Pointer

path, random_ = Path(sys.argv[1]), random.Random(0)
pointer = Pointer(path)
pointer.write(ModelUri("loanapp", "1"))


def write(uri):
    if sys.argv[2] == "product":
        pointer.write(uri)
    else:
        with open(path, "w") as file:
            file.write(f"{uri}\\n")


def fork(work):
    pid = os.fork()
    if pid:
        return pid
    while True:
        work()


def end(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def writing():
    for version in range(1000):
        write(ModelUri("loanapp" * 9, str(version)))


def reading():
    os.write(told, b"." if pointer.read() else b"X")
    time.sleep(0.001)


answers, told = os.pipe()
os.set_blocking(answers, False)
reader, torn, reads = fork(reading), 0, b""
for _ in range(60):
    writer = fork(writing)
    time.sleep(random_.uniform(0.005, 0.03))
    end(writer)
    torn += pointer.read() is None
    with suppress(BlockingIOError):
        reads += os.read(answers, 1 << 20)
end(reader)
print(60, torn, len(reads), reads.count(b"X"))
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


@pytest.mark.parametrize("how", ["product", "plain"])
def test_a_writer_killed_at_any_moment_leaves_a_whole_line(tmp_path, how):
    """And a plain ``open(path, "w")``, the control, does not."""
    home = Home(tmp_path)
    home.make()
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(home.pointer), how],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kills, torn, reads, torn_reads = map(int, done.stdout.split())
    assert kills == 60
    assert reads > 0
    if how == "plain":
        assert torn + torn_reads > 0
        return
    assert (torn, torn_reads) == (0, 0)
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
