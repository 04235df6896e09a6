"""Where sources are cut: once through, never larger than there is room for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runsurge_dask.planning.cuts import FIRST_BYTES, LEAST_RESERVATION_BYTES, SMALLEST_CHUNK_BYTES, CutOptions, Cutter, propose_cuts

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {"source": "items", "start": 0, "seconds_per_unit": 1e-3, "is_asked_for": False}


def options(workers: int = 2, chunks: int = 0) -> CutOptions:
    return CutOptions(workers=workers, chunks=chunks, worth_seconds=0.8)


@given(st.integers(0, 5000), st.integers(0, 400), st.integers(1, 4), st.integers(0, 9), st.lists(st.integers(0, 3000), max_size=20))
def test_chunks_of_rows_cover_them_once_in_order(start: int, count: int, workers: int, chunks: int, peaks: list[int]) -> None:
    cutter = Cutter({**ROWS, "start": start, "end": start + count, "bytes_per_unit": 3.0}, options(workers, chunks))
    position, number = start, 0
    while not cutter.is_through:
        first, last = cutter.cut(2000)
        assert first == position
        assert last > first or chunks
        cutter.note(last - first, peaks[number % len(peaks)] if peaks else 100)
        position, number = last, number + 1
    assert position == start + count
    assert not chunks or number == chunks


@settings(deadline=None)
@given(st.integers(1, 50_000), st.integers(1, 64), st.floats(0.5, 500))
def test_a_chunk_is_cut_for_its_share(count: int, share_kib: int, bytes_per_row: float) -> None:
    """As soon as one was measured; each row holds 40 times what it takes when sent."""
    cutter = Cutter({**ROWS, "end": count, "bytes_per_unit": bytes_per_row}, options())
    share = share_kib << 10
    while not cutter.is_through:
        first, last = cutter.cut(share)
        held = int(40 * bytes_per_row * (last - first))
        if first and last - first > 1:
            assert held <= share
            assert cutter.reservation_bytes(last - first, 0) >= held
        cutter.note(last - first, held)


def test_text_is_cut_between_lines_and_a_chunk_that_was_too_large_in_two(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{number},{'x' * (number % 90)}\n" for number in range(20_000)))
    size = path.stat().st_size
    content = path.read_bytes()
    cutter = Cutter({"source": "lines", "path": str(path), "start": 0, "end": size, "quote": None}, options())
    while not cutter.is_through:
        first, last = cutter.cut(24 * SMALLEST_CHUNK_BYTES)
        assert content[:first].endswith(b"\n") or not first
        (a, b), (c, d) = cutter.halves(first, last)
        assert (a, d) == (first, last)
        assert b == c
        assert content[b - 1 : b] == b"\n"
    assert cutter.halves(0, 3) == [(0, 3)]


def test_a_reservation_is_the_share_until_a_chunk_was_measured() -> None:
    cutter = Cutter({**ROWS, "end": 1000, "bytes_per_unit": 10.0}, options())
    assert cutter.reservation_bytes(100, 1 << 20) == 1 << 20
    cutter.note(100, 500_000)
    assert 500_000 < cutter.reservation_bytes(100, 1 << 30) < 750_000 + LEAST_RESERVATION_BYTES


def test_the_first_chunks_hold_little_and_show_what_the_next_need() -> None:
    cutter = Cutter({**ROWS, "end": 10**7, "bytes_per_unit": 100.0}, options())
    assert cutter.share_now(100 << 20) == FIRST_BYTES
    assert cutter.share_now(1 << 20) == 1 << 20
    assert cutter.share_now(32 << 30) == 2 << 30
    _, end = cutter.cut(cutter.share_now(100 << 20))
    cutter.note(end, 20 << 20)
    assert cutter.share_now(100 << 20) == 100 << 20


def test_where_chunks_differ_reservations_have_more_room() -> None:
    alike, unlike = (Cutter({**ROWS, "end": 10**7, "bytes_per_unit": 100.0}, options()) for _ in range(2))
    for peak in (1000, 700, 1000):
        alike.note(1000, 1000 << 10)
        unlike.note(1000, peak << 10)
    assert unlike.reservation_bytes(1000, 0) - alike.reservation_bytes(1000, 0) == pytest.approx(200 << 10, abs=2)


def test_where_rows_grow_the_next_chunks_are_expected_to_hold_more() -> None:
    cutter = Cutter({**ROWS, "end": 10**7, "bytes_per_unit": 100.0}, options())
    for number in range(2):
        cutter.note(1000, (100 + 5 * number) << 10)
    assert cutter.reservation_bytes(1000, 0) > (100 + 5 * 5) << 10


def test_what_chunks_hold_whatever_their_size_is_told_from_what_grows() -> None:
    """Two sizes that lie on a line say what a larger chunk holds; a steeper one among the large takes that back."""
    cutter = Cutter({**ROWS, "end": 10**7, "bytes_per_unit": 100.0}, options())
    cutter.note(1000, 12 << 20)
    through_origin = cutter.reservation_bytes(8000, 0)
    cutter.note(2000, 14 << 20)
    on_the_line = (10 + 8 * 2) << 20
    assert on_the_line < cutter.reservation_bytes(8000, 0) - LEAST_RESERVATION_BYTES < 1.6 * on_the_line < through_origin
    cutter.note(2000, 24 << 20)
    assert cutter.reservation_bytes(8000, 0) > (8 * 12) << 20


def test_what_takes_no_time_is_not_cut() -> None:
    assert "plain" in propose_cuts({**ROWS, "end": 10, "seconds_per_unit": None}, options(), 0)
    assert propose_cuts({**ROWS, "end": 10}, options(chunks=2), 0) == {"cuts": [0, 5, 10]}


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="0 workers"):
        CutOptions(workers=0, chunks=0, worth_seconds=0.8)
