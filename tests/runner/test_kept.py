"""Lists whose rows stand in files are, for whoever follows them, the lists that they would have been."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runsurge_dask.runner import kept, specs
from runsurge_dask.runner.codec import load_items
from runsurge_dask.runner.leaving import rows_left
from runsurge_dask.runner.limits import set_limit
from runsurge_dask.runner.pages import Page, held_places, is_held
from runsurge_dask.runner.plain import dump_plain, in_pieces
from runsurge_dask.runner.snapshots import Snapshot, held_among

if TYPE_CHECKING:
    from pathlib import Path

CELLS = st.one_of(st.integers(-5, 5), st.text(max_size=3), st.booleans(), st.none())
ROWS = st.lists(st.one_of(CELLS, st.lists(CELLS, max_size=3), st.dictionaries(st.sampled_from("abc"), CELLS, max_size=2)), max_size=9)

RUNTIME: Any = SimpleNamespace(sent=SimpleNamespace(rows=lambda _: None))


@pytest.fixture(autouse=True)
def _nothing_fits() -> None:
    set_limit(0)


def leave(folder: Path, parts: list[list[Any]]) -> list[Any]:
    """A list of which each part stands in a page of a file of its own."""
    rows: list[Any] = []
    for number, part in enumerate(parts):
        blob = dump_plain(part)
        assert blob is not None
        path = folder / f"{number}-{id(rows)}.rows"
        path.write_bytes(blob)
        kept.keep(rows, (str(path), [(len(blob), len(part))]))
    return rows


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(ROWS, max_size=4), tail=ROWS, data=st.data())
def test_it_is_what_the_list_would_have_been(tmp_path: Path, parts: list[list[Any]], tail: list[Any], data: st.DataObject) -> None:
    rows, plain = leave(tmp_path, parts), [row for part in parts for row in part]
    for row in tail:
        rows.append(row)
        plain.append(row)
    for _ in range(data.draw(st.integers(0, 5))):
        start, stop = data.draw(st.integers(-12, 40)), data.draw(st.one_of(st.none(), st.integers(-12, 40)))
        assert kept.count(rows) == len(plain)
        assert kept.between(rows, start, stop) == plain[start:stop]
        assert list(kept.through(rows)) == plain
        assert list(kept.through(kept.counted(rows, 3))) == list(enumerate(plain, 3))
        if plain:
            place = data.draw(st.integers(-len(plain), len(plain) - 1))
            assert kept.item(rows, place) == plain[place]
            if isinstance(plain[place], list):
                kept.item(rows, place).append("new")
                plain[place].append("new")
    assert kept.settle(rows) == plain


def test_a_row_that_is_held_or_changed_stays_the_same_object(tmp_path: Path) -> None:
    rows = leave(tmp_path, [[[n] for n in range(3)], [[n] for n in range(3, 6)], [[9]]])
    held = [row for row in kept.through(rows) if row[0] == 1]
    for row in kept.through(rows):
        if row[0] == 4:
            row.append("changed")
    held[0].append("held")
    assert list(kept.through(rows)) == [[0], [1, "held"], [2], [3], [4, "changed"], [5], [9]]
    assert kept.settle(rows)[1] is held[0]


def test_a_slice_and_a_selection_have_the_same_rows(tmp_path: Path) -> None:
    rows = leave(tmp_path, [[{"n": n} for n in range(4)], [{"n": n} for n in range(4, 8)]])
    some: list[Any] = []
    kept.keep(some, kept.selected(rows, [1, 3, 4, 7]))
    rest = kept.part(rows, 3, None)
    kept.item(some, 1)["new"] = True
    assert kept.item(rest, 0) == {"n": 3, "new": True}
    assert kept.settle(rows)[3] is kept.settle(some)[1]
    assert [row["n"] for row in some] == [1, 3, 4, 7]


def test_a_page_that_nobody_needs_is_forgotten(tmp_path: Path) -> None:
    rows = leave(tmp_path, [[[n, [n]] for n in range(50)] for _ in range(4)])
    total = 0
    for row in kept.through(rows):
        total += row[1][0]
        row = None  # noqa: PLW2901 - so that nobody holds the last one
    found = kept.kept_rows(rows)
    assert found is not None
    assert [holder.rows for holder, _, _ in found.segments if isinstance(holder, Page)][:3] == [None] * 3
    assert total == 4 * sum(range(50))


def pages_of(rows: list[Any]) -> list[Page]:
    found = kept.kept_rows(rows)
    assert found is not None
    return [holder for holder, _, _ in found.segments if isinstance(holder, Page)]


def test_a_loop_that_is_left_leaves_only_the_row_it_has(tmp_path: Path) -> None:
    rows = leave(tmp_path, [[[n, [n]] for n in range(50)] for _ in range(3)])
    for row in kept.through(rows):
        if row[0] == 7:
            break
    del row
    stream = kept.through(rows)
    row = next(row for row in stream if row[0] == 9)
    stream.close()
    assert [page.rows for page in pages_of(rows)] == [None] * 3
    assert pages_of(rows)[0].held == {9: [9, [9]]}
    assert next(row for row in kept.through(rows) if row[0] == 9) is row


def test_single_rows_do_not_keep_their_pages(tmp_path: Path) -> None:
    rows = leave(tmp_path, [[{"n": n, "page": page} for n in range(50)] for page in range(20)])
    best = [kept.item(rows, 50 * page + 3) for page in range(20)]
    best[5]["n"] = "changed"
    assert sum(page.rows is not None for page in pages_of(rows)) <= kept.MOST_OPEN
    assert all(kept.item(rows, 50 * page + 3) is best[page] for page in range(20))
    spec, blob = specs.rows_of(RUNTIME, SimpleNamespace(items=rows), 0, 1000)  # type: ignore[arg-type]  # all that it asks of a source
    sent, is_flat = rows_left(spec["kept"], load_items(blob))
    assert not is_flat, "of the changed row nothing is known"
    assert [row["page"] for row in sent] == [page for page in range(20) for _ in range(50)]
    assert [n for n, row in enumerate(sent) if row["n"] == "changed"] == [5 * 50 + 3]
    assert kept.settle(rows)[5 * 50 + 3] is best[5]


@pytest.mark.parametrize(("row", "is_flat"), [([1, "a"], True), ({"n": 1.5}, True), (7, True), ([1, [2]], False), ({"n": (1,)}, False)])
def test_pages_know_whether_their_rows_are_flat(tmp_path: Path, row: Any, is_flat: bool) -> None:  # noqa: FBT001
    rows = leave(tmp_path, [[row, row] for _ in range(3)])
    spec, blob = specs.rows_of(RUNTIME, SimpleNamespace(items=rows), 0, 6)  # type: ignore[arg-type]  # all that it asks of a source
    assert rows_left(spec["kept"], load_items(blob)) == ([row] * 6, is_flat)


def test_what_is_held_is_seen() -> None:
    rows: list[Any] = [[1, [2]], {"a": [3]}, ("b", [4])]
    assert not is_held(rows)
    inner = rows[2][1]
    assert is_held(rows)
    assert held_places(rows) == [2]
    del inner
    assert not is_held(rows)
    row = rows[2]
    assert held_places(rows) == [2]
    assert row[0] == "b"


@given(ROWS.filter(lambda rows: len(rows) > 0), st.data())
def test_changes_of_rows_are_found_where_they_are(rows: list[Any], data: st.DataObject) -> None:
    snapshot = Snapshot(rows)
    assert snapshot.changes(0) == []
    places = [place for place, row in enumerate(rows) if isinstance(row, list | dict)]
    if not places:
        return
    place = data.draw(st.sampled_from(places))
    if isinstance(rows[place], list):
        rows[place].append(["new"])
    else:
        rows[place]["z"] = 1.0
    assert snapshot.changes(10) == [(10 + place, (), rows[place])]
    key = id(rows[place])
    assert held_among({"first": (1, [rows[place]])}, snapshot.ids()) == {key}
    assert snapshot.ways_to({key}) == {key: (place, ())}


def test_a_list_that_is_replaced_by_an_equal_one_is_a_change() -> None:
    rows = [{"tags": ["a"]}]
    snapshot = Snapshot(rows)
    rows[0]["tags"] = list(rows[0]["tags"])
    assert snapshot.changes(0) == [(0, (), {"tags": ["a"]})]


def test_rows_that_share_a_list_stay_in_one_piece() -> None:
    shared = [1]
    apart = in_pieces([[n, "x" * 5000] for n in range(400)], {})
    together = in_pieces([[n, "x" * 5000, shared] for n in range(400)], {})
    assert apart is not None
    assert together is not None
    assert len(apart) > 1
    assert len(together) == 1
    assert sum(count for _, count in apart) == 400
