"""NumPy scripts in chunks leave what NumPy leaves: laws of sums and counted rows, and a table of scripts' middles."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runsurge_dask.runner.arrays.nodes import Evaluation, Rows, Step, flatten
from runsurge_dask.runner.arrays.origins import counted_rows, file_rows, linear_rows
from runsurge_dask.runner.arrays.sums import joined, leaves_of, sum_of, tree_of
from tests.differential.compare import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.differential.compare import Bench

HEAD = "import numpy as np\n\nx = np.load('x.npy')\nk = np.arange(300)\nt = np.linspace(-1, 1, 300)\n"
SPLIT = [
    "y = np.exp(-x ** 2 / 2) * np.sin(t)\nprint(y.sum(), y.mean(), y.std(), y.var(ddof=1), y.max(), y.argmin())",
    "print((k * k).sum(), (k % 7 == 0).sum(), np.any(k > 298), np.all(k >= 0), np.count_nonzero(k & 1), k.prod(), type(k.sum()))",
    "np.save('o.npy', np.clip(255 * (x - x.min()) / (x.max() - x.min()), 3, 250).astype('u1'))",
    "d = np.diff(x)\nnp.save('o.npy', np.where(d > 0, d, 0))\nprint(d.shape, (x[1:] + x[:-1]).max())",
    "big = x[x > 0.5]\nprint(len(big), big.sum(), (big * 2).max(), big[:3])\nnp.savetxt('o.txt', big)",
    "print(np.histogram(x, bins=7, range=(-1, 1)), np.bincount(k // 60, minlength=9), np.histogram(x, bins=np.linspace(-1, 1, 4)))",
    "m = (t[:, None] * np.arange(1.0, 4.0)).sum(axis=1)\nprint(m.dtype, m.sum(), m.argmax(), np.flatnonzero(m > 5.9))",
    "print(f'{x[3]} {x[-1]} {x[:2]}', np.median(x), np.sort(x)[0], x.sum())",
    "def f(v, w=2):\n    u = v * w\n    return u + 1\nprint(f(x).sum(), f(k, w=3).max())",
    "z = x.astype(np.float32)\nprint(z.dtype, z.sum(), z.mean(), z.std(), (z * 2).dtype, (z * np.float64(2)).dtype)",
    "p = np.interp(x, [-1, 0, 1], [0, 1, 0]) + np.digitize(x, [0.0, 0.5]) + np.isin(k, [1, 2])\nprint(p.sum())",
]
WHOLE = [
    "x[0] = 9\nprint(x.sum(), x[:2])",
    "y = x * 2\nv = y[2:]\ny.shape = (30, 10)\nv[0] = 7\nprint(y[0, 2], v[:2], y.sum(axis=0))",
    "y = np.sqrt(x)\nprint(np.isnan(y).sum())\nprint(1 / x[x == 0])\nz = np.log(x)\nprint(z.shape)",
    "print(x + np.ones(5))",
    "print((k ** (k - 4)).sum())",
    "np.save('x.npy', x * 2)\nprint(x.sum(), np.load('x.npy').sum())",
    "y = x\ny *= 2\nprint(x is y, x.sum(), type(x) is np.ndarray, memoryview(x).nbytes)",
    "with np.errstate(all='raise'):\n    print(np.log(x).sum())",
    "for i in range(5):\n    x = x / (t * 0 + i)\nprint(np.isnan(x).sum())",
    "print(x.reshape(3, -1).T[0], np.cumsum(x)[-1], x[::-1][:2], x[[1, 5]], list(x[:2]), x.tolist()[0])",
    "print(np.add(x, t, out=t) is t, t.sum(), np.median(x, overwrite_input=True), x[0])",
    "e = x[x > 99]\nprint(e.size, e.sum())\nprint(e.max())",
]


def run(bench: Bench, folder: Path, script: str) -> tuple[list[str], bool]:
    """How the cut answer differs, and whether anything was cut."""
    plain, cut = folder / "plain", folder / "cut"
    plain.mkdir()
    np.save(plain / "x.npy", np.sin(np.arange(300) * 0.37))
    (plain / "script.py").write_text(script)
    shutil.copytree(plain, cut)
    expected = bench.run_plain(plain)
    found, stages = bench.run_planned(cut, chunks=3)
    return differences(expected, found, (plain, cut)), any(stage.is_split for stage in stages)


@pytest.mark.parametrize("middle", SPLIT)
def test_row_wise_and_joinable_code_is_cut(bench: Bench, tmp_path: Path, middle: str) -> None:
    assert run(bench, tmp_path, HEAD + middle + "\n") == ([], True)


@pytest.mark.parametrize("middle", WHOLE)
def test_other_code_gives_the_same_answer(bench: Bench, tmp_path: Path, middle: str) -> None:
    assert run(bench, tmp_path, HEAD + middle + "\n")[0] == []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40_000), st.integers(1, 9), st.sampled_from([128, 1000, 5000]), st.sampled_from(["f8", "f4"]), st.integers(0, 99))
def test_sums_along_the_tree_are_numpys_own(count: int, leaves: int, largest: int, dtype: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = (generator.normal(size=count) * 10.0 ** generator.integers(-4, 4, size=count)).astype(dtype)
    tree = tree_of(0, count, leaves)
    parts = [sum_of(start, size, lambda a, b: values[a:b], largest) for start, size in leaves_of(tree)]
    assert joined(tree, iter(parts)) == values.sum()
    assert sum(size for _, size in leaves_of(tree)) == count


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.integers(2, 3000), st.booleans(), st.integers(1, 700))
def test_linear_rows_are_numpys_own(start: float, stop: float, count: int, has_end: bool, step: int) -> None:  # noqa: FBT001 - a drawn value
    found = linear_rows(start, stop, count, has_end)
    if found is not None:
        pieces = [found[0].read(a, min(a + step, count)) for a in range(0, count, step)]
        assert np.concatenate(pieces).tobytes() == np.linspace(start, stop, count, endpoint=has_end).tobytes()


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.integers(-99, 99), st.floats(-99, 99)), st.one_of(st.integers(1, 9), st.floats(0.01, 9)), st.integers(1, 3000))
@example(start=-0.0, step=1, count=2)
def test_counted_rows_are_numpys_own(start: float, step: float, count: int) -> None:
    stop = start + step * count
    own = np.arange(start, stop, step)
    found = counted_rows(start, stop, step)
    if found is not None:
        assert found[1] == len(own)
        pieces = [found[0].read(a, min(a + 700, len(own))) for a in range(0, len(own), 700)]
        assert np.concatenate(pieces).tobytes() == own.tobytes()


def test_a_file_that_is_being_written_is_no_source(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    np.arange(20).tofile(path)
    assert file_rows(path, 0, np.dtype(int), (20,)) is not None
    with path.open("r+b"):
        assert file_rows(path, 0, np.dtype(int), (20,)) is None
    mapped = np.memmap(path, dtype=int, mode="r+")
    assert file_rows(path, 0, np.dtype(int), (20,)) is None
    assert mapped[3] == 3


def test_neighbouring_rows_are_worked_out_once(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    np.arange(20.0).tofile(path)
    rows = Rows(20)
    source = Step("source", (file_rows(path, 0, np.dtype(float), (20,)),), rows=rows)
    double = Step("operator:mul", (source, 2), rows=rows)
    shifted: Any = [Step("slice", (double, start), rows=Rows(19)) for start in (0, 1)]
    entries, roots, steps = flatten([Step("operator:add", tuple(shifted), rows=Rows(19))])
    evaluation = Evaluation(entries, roots, (5, 9), {})
    assert evaluation.demands[steps.index(double)] == [(5, 10)]
    assert evaluation.run_all(roots, (5, 9))[0].tolist() == [22, 26, 30, 34]
