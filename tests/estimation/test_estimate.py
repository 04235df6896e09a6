"""Estimates of real scripts: near what they hold, gone without a trace, and refused where nothing can be said."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from runsurge_contracts.plan import Basis
from runsurge_dask.analysis.build import build_program
from runsurge_dask.estimation.calibration import Measured, recall, remember
from runsurge_dask.estimation.estimate import estimate
from runsurge_dask.estimation.fits import EstimateError
from runsurge_dask.estimation.samples import SampleLimits
from runsurge_dask.pipeline import start_host

if TYPE_CHECKING:
    from pathlib import Path

    from runsurge_contracts.plan import Estimates

QUICK = SampleLimits(total_seconds=6, child_seconds=2)
MIB = 1 << 20
ROWS = """
import csv

def number(row):
    parts = [row["x"]] * 3
    return float(parts[0])

rows = []
with open("rows.csv", newline="") as f:
    for row in csv.DictReader(f):
        rows.append([row["id"], number(row)])

by = {row[0]: row for row in rows}
with open("out.csv", "w", newline="") as out:
    csv.writer(out).writerows(rows)
print(len(rows), len(by))
"""


def _estimate(source: str, folder: Path, *, is_static: bool = False, limits: SampleLimits = QUICK) -> Estimates:
    program = build_program(source, str(folder / "script.py"))
    if is_static:
        return estimate(program, None, cwd=str(folder), is_static=True)
    host = start_host(program)
    try:
        return estimate(program, host, cwd=str(folder), limits=limits)
    finally:
        host.close()


def _plain_peak(source: str, folder: Path) -> int:
    """The highest resident bytes of a plain run."""
    tell = "\nprint(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
    done = subprocess.run([sys.executable, "-c", source + tell], cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) << 10


def _write_rows(folder: Path, count: int) -> None:
    with (folder / "rows.csv").open("w") as file:
        file.write("id,name,x\n")
        file.writelines(f"{n},name{n % 977},{n * 0.37:.3f}\n" for n in range(count))


def test_a_script_is_foreseen_from_a_part_of_its_data(tmp_path: Path) -> None:
    _write_rows(tmp_path, 300_000)
    found = _estimate(ROWS, tmp_path)
    assert not (tmp_path / "out.csv").exists()
    real = _plain_peak(ROWS, tmp_path)
    assert {each.basis for each in found.footprints} == {Basis.SAMPLES}
    assert 1 <= (found.peak_bytes + found.baseline_bytes) / real <= 1.6
    loop = found.footprints[4]
    assert loop.makes["rows"].length == pytest.approx(300_000, rel=0.02)
    index = next(each for each in found.footprints if "by" in each.makes)
    assert set(index.needs) == {"rows"}
    assert index.peak_bytes > index.needs["rows"].size_bytes
    assert found.main_lines[index.block]["by"].length == pytest.approx(300_000, rel=0.02)
    assert "return float(parts[0])#5:1" in found.function_lines


def test_a_script_without_data_is_run_as_it_is(tmp_path: Path) -> None:
    found = _estimate("xs = [i * i for i in range(500_000)]\nprint(len(xs))\n", tmp_path)
    assert 18 * MIB < found.peak_bytes < 32 * MIB
    assert found.footprints[0].makes["xs"].length == 500_000


def test_a_long_loop_is_foreseen_from_its_first_turns(tmp_path: Path) -> None:
    source = "import time\nout = []\nfor i in range(100_000):\n    time.sleep(0.0005)\n    out.append(str(i) * 20)\nprint(out[0])\n"
    found = _estimate(source, tmp_path, limits=SampleLimits(child_seconds=1, total_seconds=2))
    loop = found.footprints[2]
    assert loop.makes["out"].length == pytest.approx(100_000, rel=0.2)
    assert 40 < loop.seconds < 120
    assert found.footprints[3].basis is Basis.STATIC


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("rows = []\nwhile True:\n    rows.append(1)\n", "unbounded", 3),
        ("import itertools\nrows = []\nfor n in itertools.count():\n    rows.append(n)\n", "unbounded", 4),
        ("n = 1\nwhile n:\n    n = n + 1 if n < 9 else 2\n", "no-estimate", 0),
    ],
)
def test_what_does_not_end_is_refused_in_time(tmp_path: Path, source: str, code: str, line: int) -> None:
    begun = time.monotonic()
    with pytest.raises(EstimateError) as caught:
        _estimate(source, tmp_path, limits=SampleLimits(child_seconds=1, total_seconds=2))
    assert caught.value.code == code
    assert f"line {line}" in caught.value.where or not line
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "statement",
    [
        "os.remove('keep.txt')",
        "os.rename('keep.txt', 'other.txt')",
        "shutil.rmtree('.')",
        "subprocess.run(['touch', 'made.txt'])",
        "os.system('touch made.txt')",
        "open('keep.txt', 'w').write('gone')",
        "open('keep.txt', 'r+').write('gone')",
        "os.open('made.txt', os.O_CREAT | os.O_WRONLY)",
        "pathlib.Path('made.txt').write_text('x')",
        "os.makedirs('made')",
        "os.truncate('keep.txt', 0)",
        "os.symlink('keep.txt', 'made.txt')",
        "sqlite3.connect('made.db').execute('create table t (a)')",
        "tempfile.NamedTemporaryFile(dir='.', delete=False)",
        "socket.create_connection(('127.0.0.1', 9))",
        "os.kill(os.getppid(), 9)",
        "print('seen')",
    ],
)
def test_a_sample_leaves_no_trace(tmp_path: Path, capfd: pytest.CaptureFixture[str], statement: str) -> None:
    (tmp_path / "keep.txt").write_text("kept")
    imports = "import os, pathlib, shutil, socket, sqlite3, subprocess, tempfile\n"
    _estimate(f"{imports}try:\n    {statement}\nexcept Exception:\n    pass\nx = [1]\n", tmp_path)
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("keep.txt", "kept")]
    assert capfd.readouterr() == ("", "")


def test_arrow_writes_nothing_either(tmp_path: Path) -> None:
    source = (
        "import pandas as pd\nimport pyarrow as pa\nfrom pyarrow import fs\n"
        "df = pd.DataFrame({'a': [1, 2]})\ndf.to_parquet('made.parquet')\n"
        "fs.LocalFileSystem().open_output_stream('made.bin').write(b'x')\n"
    )
    found = _estimate(source, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert found.footprints[4].basis is Basis.SAMPLES


def test_nothing_runs_after_a_block_of_unknown_effect(tmp_path: Path) -> None:
    found = _estimate("a = [1]\nexec('b = 2')\nc = [2]\n", tmp_path)
    assert [each.basis for each in found.footprints] == [Basis.SAMPLES, Basis.STATIC, Basis.STATIC]


def test_small_tables_stay_whole_beside_a_large_one(tmp_path: Path) -> None:
    _write_rows(tmp_path, 200_000)
    (tmp_path / "names.csv").write_text("name,city\n" + "".join(f"name{n},{'Oslo' * 200}\n" for n in range(977)))
    source = (
        "import csv\nwith open('names.csv') as f:\n    city = {r['name']: r['city'] for r in csv.DictReader(f)}\n"
        "found = []\nwith open('rows.csv') as f:\n    for r in csv.DictReader(f):\n        found.append(city[r['name']])\n"
    )
    found = _estimate(source, tmp_path)
    assert all(each.basis is Basis.SAMPLES for each in found.footprints)


def test_some_of_many_small_files_stand_for_all(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for n in range(200):
        (tmp_path / "parts" / f"{n}.txt").write_text("a line of text\n" * 2_000)
    source = "from glob import glob\nlines = []\nfor path in sorted(glob('parts/*.txt')):\n    lines += open(path).readlines()\n"
    found = _estimate(source, tmp_path)
    assert found.footprints[-1].basis is Basis.SAMPLES
    assert found.main_lines[found.footprints[-1].block]["lines"].length == pytest.approx(400_000, rel=0.1)


def test_rules_alone_run_nothing(tmp_path: Path) -> None:
    body = "".join(f"    y{k} = [x + {k} for x in xs]\n" for k in range(13))
    block = "def f{n}(xs):\n" + body + "    return y12\nr{n} = f{n}(list(range({n}00)))\n"
    source = "raise SystemExit('it ran')\n" + "".join(block.replace("{n}", str(n)) for n in range(1, 21))
    assert source.count("\n") > 299
    program = build_program(source, str(tmp_path / "script.py"))
    found = estimate(program, None, cwd=str(tmp_path), is_static=True)
    assert found.footprints[-1].makes == {}
    assert found.main_lines["r20:41"]["r20"].length == 2000


@pytest.mark.parametrize(
    ("source", "name", "length", "least_bytes", "most_bytes"),
    [
        ("xs = list(range(1000))", "xs", 1000, 30_000, 60_000),
        ("xs = [0] * 10_000", "xs", 10_000, 80_000, 120_000),
        ("rows = open('rows.csv').readlines()", "rows", 2001, 80_000, 200_000),
        ("import csv\nrows = list(csv.reader(open('rows.csv')))", "rows", 2001, 300_000, 900_000),
        ("import sys\np = sys.argv[1] if len(sys.argv) > 1 else 'rows.csv'\nxs = [float(x) for x in open(p)]", "xs", 2001, 60_000, 120_000),
        ("import pandas as pd\ndf = pd.read_csv('rows.csv')", "df", 2001, 30_000, 150_000),
        ("d = {}\nfor n in range(1000):\n    d[n] = n", "d", 1000, 80_000, 200_000),
    ],
)
def test_rules_know_sizes(tmp_path: Path, source: str, name: str, length: int, least_bytes: int, most_bytes: int) -> None:
    _write_rows(tmp_path, 2000)
    found = _estimate(source, tmp_path, is_static=True)
    variable = found.main_lines[found.footprints[-1].block][name]
    assert variable.length == pytest.approx(length, rel=0.1)
    assert least_bytes <= variable.size_bytes <= most_bytes


def test_earlier_runs_are_remembered_for_data_of_the_same_kind(tmp_path: Path) -> None:
    """They grow with their inputs; another header is another kind, and so are other arguments."""
    _write_rows(tmp_path, 1000)
    cache, where = tmp_path / "cache", str(tmp_path)
    program = build_program("rows = open('rows.csv').readlines()\n", str(tmp_path / "script.py"))
    measured = {"rows:1": Measured(peak_bytes=5000, seconds=0.5)}
    remember(program, measured, inputs=["rows.csv"], cwd=where, folder=cache)
    assert recall(program, cwd=where, folder=cache) == measured
    assert recall(program, argv=["other"], cwd=where, folder=cache) == {}
    _write_rows(tmp_path, 2000)
    assert recall(program, cwd=where, folder=cache)["rows:1"].peak_bytes == pytest.approx(10_000, rel=0.1)
    (tmp_path / "rows.csv").write_text("other,header\n1,2\n" * 1000)
    assert recall(program, cwd=where, folder=cache) == {}
    (tmp_path / "rows.csv").unlink()
    assert recall(program, cwd=where, folder=cache) == {}
    assert recall(build_program("print(1)\n", "script.py"), cwd=where, folder=cache) == {}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"form": 2}', '{"form": 2, "runs": [{"blocks": {"a": 3}}]}', '{"form": 1, "runs": []}', "\x00\xff"]
)
def test_a_spoiled_cache_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    program = build_program("a = [1]\nprint(a)\n", str(tmp_path / "script.py"))
    remember(program, {"a:1": Measured(peak_bytes=5, seconds=0.5)}, inputs=[], cwd=str(tmp_path), folder=tmp_path)
    (place,) = tmp_path.glob("*.json")
    place.write_text(content)
    assert recall(program, cwd=str(tmp_path), folder=tmp_path) == {}
