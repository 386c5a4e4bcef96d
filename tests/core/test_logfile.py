"""A log file with several writers: no line is lost, torn or mixed, whoever rotates."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

from loanapp.core.logfile import SharedFile

WRITER = """
import logging, sys
from pathlib import Path
from loanapp.core.logfile import SharedFile
handler = SharedFile(Path(sys.argv[1]), file_bytes=20_000, kept=200)
logger = logging.getLogger("writer")
logger.addHandler(handler)
for number in range(1000):
    logger.error("%s:%d:%s", sys.argv[2], number, sys.argv[2] * 200)
"""


def test_several_processes_lose_and_mix_no_line_while_the_file_rotates(tmp_path: Path) -> None:
    file = tmp_path / "api.log"
    names = ("a", "b", "c")
    command = [sys.executable, "-c", WRITER, str(file)]
    writers = [subprocess.Popen([*command, name]) for name in names]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    files = [path for path in tmp_path.glob("api.log*") if path.suffix != ".lock"]
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    assert sorted(lines) == sorted(f"{n}:{i}:{n * 200}" for n in names for i in range(1000))
    assert len(files) > 20
    assert max(path.stat().st_size for path in files) < 20_000 + 3 * 300


def test_only_so_many_older_files_stay(tmp_path: Path) -> None:
    handler = SharedFile(tmp_path / "api.log", file_bytes=100, kept=2)
    for number in range(20):
        handler.emit(logging.makeLogRecord({"msg": f"{number:060}"}))
    handler.close()
    left = {path.suffix: path.read_text().strip()[-2:] for path in tmp_path.glob("api.log*")}
    assert left == {".log": "19", ".1": "18", ".2": "17", ".lock": ""}
