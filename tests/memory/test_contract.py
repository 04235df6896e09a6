"""The harness finds the size of an input by measuring, and says every way in which two answers can differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.contract import (
    EXAMPLES_MEASURED,
    SMALLEST_INPUT_BYTES,
    Case,
    Example,
    Point,
    Row,
    Workshop,
    as_limit,
    cases_of,
    render_growth,
    render_row,
    size_for,
)
from benchmarks.resident import Measured
from benchmarks.sameness import compare_folders

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20


def measured(peak_bytes: int, **changes: object) -> Measured:
    values: dict[str, object] = {
        "command": ("true",), "exit_status": 0, "elapsed_seconds": 1.0, "cpu_seconds": 1.0, "peak_bytes": peak_bytes, "measure": "pss",
        "processes": (), "samples": 50, "longest_pause_seconds": 0.02, "sampler_seconds": 0.1,
    }  # fmt: skip
    return Measured(**{**values, **changes})  # type: ignore[arg-type]  # a table of its fields


def row(*, factor: float = 4, ours: Measured | None = None, difference: str = "", is_close: bool = False) -> Row:
    plain = measured(round(factor * 384 * MIB))
    return Row(
        name="edges", limit_bytes=384 * MIB, factor=factor, input_bytes=10**8, plain=plain,
        ours=ours or measured(300 * MIB), difference=difference, is_close=is_close,
    )  # fmt: skip


def test_there_are_twelve_examples_and_three_of_them_are_quick() -> None:
    assert len(EXAMPLES_MEASURED) == 12
    assert all(each.script.exists() for each in EXAMPLES_MEASURED)
    assert len(cases_of([], [4], 0, is_quick=True)) == 3


def test_without_a_limit_each_example_has_its_own_and_three_have_a_large_one() -> None:
    cases = cases_of([], [4, 10], 0, is_quick=False)
    assert len(cases) == 2 * (12 + 3)
    assert {case.limit_bytes for case in cases} == {384 * MIB, 512 * MIB, 1024 * MIB}
    assert [case.asked_bytes for case in cases_of(["edges"], [4, 10], 60 * MIB, is_quick=False)] == [240 * MIB, 600 * MIB]


@given(base=st.integers(10**6, 10**8), slope=st.integers(2, 30), wanted=st.integers(10**9, 10**10), first=st.integers(10**6, 10**8))
def test_on_a_straight_line_the_size_is_exact(base: int, slope: int, wanted: int, first: int) -> None:
    points = [Point(input_bytes=size, peak_bytes=base + slope * size) for size in (first, 3 * first)]
    size = size_for(wanted, points)
    assert size == SMALLEST_INPUT_BYTES or abs(base + slope * size - wanted) <= slope


def test_the_points_nearest_to_what_is_wanted_make_the_line() -> None:
    points = [Point(input_bytes=size, peak_bytes=peak) for size, peak in ((10**6, 10**7), (10**8, 10**9), (2 * 10**8, 3 * 10**9))]
    assert size_for(4 * 10**9, points) == 250_000_000


def test_two_points_that_lie_close_do_not_lead_astray() -> None:
    found = ((10**6, 10**7), (58 * 10**7, 1991 * 10**6), (61 * 10**7, 1992 * 10**6))
    points = [Point(input_bytes=size, peak_bytes=peak) for size, peak in found]
    assert 61 * 10**7 < size_for(2109 * 10**6, points) < 70 * 10**7


def test_two_points_that_hold_alike_ask_for_a_larger_one() -> None:
    assert size_for(10**9, [Point(input_bytes=10**6, peak_bytes=10**7), Point(input_bytes=3 * 10**6, peak_bytes=10**7)]) == 6 * 10**6


def test_a_limit_is_written_as_a_user_writes_it() -> None:
    assert (as_limit(384 * MIB), as_limit(1000)) == ("384MiB", "1000")


def test_a_case_is_measured_from_end_to_end(tmp_path: Path) -> None:
    example = next(each for each in EXAMPLES_MEASURED if each.name == "good_readings")
    case = Case(example=example, limit_bytes=24 * MIB, factor=2)
    found = Workshop(tmp_path, uses_memory=False, reports=None).measure_case(case)
    assert found.plain.peak_bytes >= case.asked_bytes
    assert found.difference == ""
    assert found.ours.left_behind == ()
    assert f"| good_readings | 24 | 2 | {found.input_bytes / 1e6:.1f} |" in render_row(found)
    assert [path.name for path in tmp_path.iterdir()] == ["input"]


def test_an_example_that_fails_is_an_error_and_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "edges.py"
    script.write_text("raise ValueError('no such thing')\n")
    monkeypatch.setattr(Example, "script", property(lambda _: script))
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(RuntimeError, match="edges itself failed: ValueError: no such thing"):
        Workshop(folder, uses_memory=False, reports=None).measure_case(Case(example=EXAMPLES_MEASURED[0], limit_bytes=MIB, factor=2))


@pytest.mark.parametrize(
    ("found", "is_well", "words"),
    [
        (row(), True, "| yes | yes |"),
        (row(is_close=True), True, "| yes, to 1e-9 | yes |"),
        (row(difference="out, line 3: missing"), False, "| NO: out, line 3: missing | yes |"),
        (row(ours=measured(400 * MIB, over_limit_bytes=16 * MIB, over_limit_seconds=0.5)), False, "| NO: 16.0 MiB more, for 0.50 s |"),
        (row(ours=measured(300 * MIB, longest_pause_seconds=0.3)), True, "| yes | yes; a pause of 0.30 s between samples |"),
        (row(ours=measured(300 * MIB, left_behind=("python -m left",))), False, "LEFT BEHIND: python -m left |"),
    ],
)
def test_a_row_says_whether_the_contract_held(found: Row, is_well: bool, words: str) -> None:  # noqa: FBT001 - a column of the table
    assert found.is_well == is_well
    assert words in render_row(found)


def test_a_peak_that_grows_with_the_input_is_not_flat() -> None:
    assert render_growth([row(), row(factor=10, ours=measured(350 * MIB))]) == [("edges at 384 MiB: 1.17 from 4x to 10x, flat", True)]
    assert render_growth([row(), row(factor=10, ours=measured(375 * MIB))]) == [("edges at 384 MiB: 1.25 from 4x to 10x, NOT flat", False)]
    assert render_growth([row()]) == []


@pytest.mark.parametrize(
    ("plain", "ours", "difference", "is_close"),
    [
        (b"a,1\nb,2\n", b"a,1\nb,2\n", "", False),
        (b"mean 0.30000000000000004\n", b"mean 0.3\n", "", True),
        (b"mean 0.30000000000000004\n", b"mean 0.31\n", "f, line 1: b'mean 0.31\\n' where plain has b'mean 0.30000000000000004\\n'", False),
        (b"10000000000000\n", b"10000000000001\n", "f, line 1: b'10000000000001\\n' where plain has b'10000000000000\\n'", False),
        (b"a\nb\n", b"a\n", "f, line 2: missing", False),
        (b"a\n", b"a\nb\n", "f, line 2: one more", False),
        (b"x 1.0\n", b"y 1.0\n", "f, line 1: b'y 1.0\\n' where plain has b'x 1.0\\n'", False),
        (b"1.0 2.0\n", b"1.0\n", "f, line 1: b'1.0\\n' where plain has b'1.0 2.0\\n'", False),
        (b"-0.0\n", b"0.0\n", "", True),
    ],
)
def test_files_differ_in_their_first_line_that_does(plain: bytes, ours: bytes, difference: str, is_close: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a column of the table
    for name, text in (("plain", plain), ("ours", ours)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_bytes(text)
    assert compare_folders(tmp_path / "plain", tmp_path / "ours") == (difference, is_close)


def test_a_file_that_is_missing_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "plain" / "f").touch()
    assert compare_folders(tmp_path / "plain", tmp_path / "ours") == ("files [] where plain has ['f']", False)
