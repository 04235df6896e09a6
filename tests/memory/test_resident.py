"""The sampler sees every process of a tree, whoever its parent is by then, counts shared pages once, and tells a limit's excess."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.resident import TIMED_OUT, Measured, Tally, bytes_held, measure, parse_bytes

MIB = 2**20
SAMPLER = Path(__file__).parents[2] / "benchmarks" / "resident.py"

ORPHAN = """
    import os, time
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            time.sleep(0.1)
            held = bytearray(60_000_000)
            time.sleep(0.4)
        os._exit(0)
    os.wait()
    time.sleep(0.8)
"""
SHARED = """
    import os, time
    held = bytearray(b"1") * 80_000_000
    for _ in range(4):
        if os.fork() == 0:
            time.sleep(0.3)
            os._exit(0)
    for _ in range(4):
        os.wait()
"""
BORROWED = """
    import subprocess, sys
    held = bytearray(b"1") * 80_000_000
    for _ in range(150):
        subprocess.run(["true"], close_fds=False)
"""
LEAVES_ONE = """
    import os, time
    if os.fork() == 0:
        time.sleep(60)
    time.sleep(0.1)
"""


GROWS_AND_SHRINKS = """
    import time
    time.sleep(0.3)
    held = bytearray(b"1") * 60_000_000
    time.sleep(0.4)
    del held
    time.sleep(0.3)
"""
EXECS = """
    import os, sys, time
    time.sleep(0.3)
    os.execv(sys.executable, [sys.executable, "-c", "import time; held = bytearray(b'1') * 60_000_000; time.sleep(0.2)"])
"""


def run_code(code: str, *, limit_bytes: int = 0, timeout_seconds: float = 0) -> Measured:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return measure(command, limit_bytes=limit_bytes, timeout_seconds=timeout_seconds)


def test_a_process_whose_parent_died_and_that_left_the_session_is_counted() -> None:
    measured = run_code(ORPHAN)
    assert measured.peak_bytes >= 60_000_000
    assert measured.left_behind == ()
    assert measured.exit_status == 0


def test_pages_that_processes_share_count_once() -> None:
    measured = run_code(SHARED)
    assert measured.measure == "pss"
    assert 80_000_000 <= measured.peak_bytes < 120_000_000
    assert len(measured.processes) == 5


def test_a_child_before_its_exec_does_not_count_the_memory_it_borrows() -> None:
    assert run_code(BORROWED).peak_bytes < 120_000_000


def test_what_a_process_holds_after_an_exec_is_counted() -> None:
    measured = run_code(EXECS)
    assert measured.peak_bytes >= 60_000_000
    assert "held" in measured.processes[0].command


def test_what_outlives_the_command_is_named_and_ended() -> None:
    measured = run_code(LEAVES_ONE)
    assert len(measured.left_behind) == 1
    assert measured.elapsed_seconds < 2


def test_a_command_that_takes_too_long_is_ended_with_all_it_started() -> None:
    measured = run_code("import time, os; os.fork(); time.sleep(60)", timeout_seconds=0.3)
    assert (measured.exit_status, measured.timed_out) == (TIMED_OUT, True)
    assert measured.elapsed_seconds < 2


def test_the_exit_status_and_the_time_are_those_of_the_command() -> None:
    measured = run_code("import sys, time; time.sleep(0.5); sys.exit(7)")
    assert measured.exit_status == 7
    assert 0.5 <= measured.elapsed_seconds < 1.5
    assert measured.sampler_seconds < 0.3


def test_a_command_that_a_signal_ended_says_which() -> None:
    assert run_code("import os; os.kill(os.getpid(), 9)").exit_status == -9


def test_a_limit_is_said_to_be_exceeded_for_as_long_as_it_was() -> None:
    measured = run_code(GROWS_AND_SHRINKS, limit_bytes=30 * MIB)
    assert 0.3 <= measured.over_limit_seconds < 0.7
    assert 27 * MIB < measured.over_limit_bytes < 60 * MIB


def test_the_command_line_prints_what_was_measured() -> None:
    command = [sys.executable, str(SAMPLER), "--limit", "1GiB", "--", sys.executable, "-c", "print(1)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert "PSS of all processes together" in done.stderr
    assert "limit 1024.0 MiB kept" in done.stderr


def test_a_sampler_that_is_ended_ends_the_command(tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with subprocess.Popen([sys.executable, str(SAMPLER), "--", sys.executable, "-c", code], stderr=subprocess.DEVNULL) as sampler:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        sampler.terminate()
        assert sampler.wait() != 0
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="no-such-command"):
        measure(["no-such-command-at-all"], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("text", "size"),
    [("384MiB", 384 * MIB), ("1 GB", 10**9), ("1.5kib", 1536), ("4096", 4096), ("7b", 7), ("0", 0), ("2gib", 2**31)],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1 TB", "1..5GB", "384m", "1e9"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no number of bytes"):
        parse_bytes(text)


def test_memory_is_read_from_both_files_of_the_kernel() -> None:
    assert bytes_held(b"0-1 ---p 0 00:00 0 [rollup]\nRss:  1732 kB\nPss:   423 kB\nPss_Dirty: 112 kB\n", is_pss=True) == 423 * 1024
    assert bytes_held(b"3128 2 1449 1 0 1189 0\n", is_pss=False) in {2 * 4096, 2 * 16384, 2 * 65536}


Samples = st.lists(st.tuples(st.integers(1, 50), st.dictionaries(st.integers(1, 4), st.integers(0, 100))), min_size=1, max_size=30)


@given(samples=Samples, limit=st.integers(1, 300))
def test_the_tally_is_what_the_samples_say(samples: list[tuple[int, dict[int, int]]], limit: int) -> None:
    tally = Tally(limit)
    clock = 0
    for pause, held in samples:
        clock += pause
        tally.add(clock, held)
    totals = [sum(held.values()) for _, held in samples]
    assert tally.peak_bytes == max(totals)
    assert sum(tally.at_peak.values()) == max(totals)
    assert tally.over_limit_bytes == max(0, max(totals) - limit)
    following = [pause for pause, _ in samples[1:]]
    assert tally.over_limit_seconds == sum(pause for pause, total in zip(following, totals, strict=False) if total > limit)
    assert tally.longest_pause_seconds == max(following, default=0)
