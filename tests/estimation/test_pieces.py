"""A sample is a file of the same kind, of whole records from all over the large one."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from runsurge_dask.runner.profile.pieces import cut_sample

if TYPE_CHECKING:
    from pathlib import Path

WANTED = 100_000


def _sample(path: Path, target: Path) -> float:
    with io.FileIO(target, "w") as file:
        return cut_sample(str(path), WANTED, file)


def test_csv_records_stay_whole_even_with_quoted_line_ends(tmp_path: Path) -> None:
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    with source.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "name", "note"])
        rows.writerows([n, f"n{n % 7}", 'says "yes",\nthen no' if n % 3 else "plain"] for n in range(100_000))
    share = _sample(source, target)
    with target.open(newline="") as file:
        header, *records = csv.reader(file)
    assert header == ["id", "name", "note"]
    assert {len(record) for record in records} == {3}
    assert all(record[2] in {'says "yes",\nthen no', "plain"} for record in records)
    assert share == pytest.approx(len(records) / 100_000, rel=0.1)
    assert min(int(r[0]) for r in records) == 0
    assert max(int(r[0]) for r in records) == 99_999


def test_lines_are_whole_and_in_order(tmp_path: Path) -> None:
    source, target = tmp_path / "a.txt", tmp_path / "b.txt"
    source.write_text("".join(f'line {n} "\n' for n in range(100_000)))
    _sample(source, target)
    numbers = [int(line.split()[1]) for line in target.read_text().splitlines()]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 99_000


def test_json_arrays_are_cut_between_items(tmp_path: Path) -> None:
    source, target = tmp_path / "a.json", tmp_path / "b.json"
    items = [{"id": n, "inner": {"id": -1}, "tags": ["a", "b,{"], "text": "},{"} for n in range(20_000)]
    for indent in (None, 2):
        source.write_text(json.dumps(items, indent=indent))
        share = _sample(source, target)
        found = json.loads(target.read_text())
        assert {item["text"] for item in found} == {"},{"}
        assert share == pytest.approx(len(found) / 20_000, rel=0.2)
        assert found[-1]["id"] > 10_000


def test_json_lines_are_lines(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    source.write_text("".join(json.dumps({"id": n}) + "\n" for n in range(50_000)))
    assert _sample(source, target) > 0
    assert all(json.loads(line) for line in target.read_text().splitlines())


def test_arrays_are_cut_by_rows(tmp_path: Path) -> None:
    source, target = tmp_path / "a.npy", tmp_path / "b.npy"
    whole = np.arange(200_000, dtype=np.int32).reshape(-1, 10)
    np.save(source, whole)
    share = _sample(source, target)
    found = np.load(target)
    assert found.dtype == whole.dtype
    assert found.shape[1:] == (10,)
    assert share == len(found) / len(whole)
    assert (found[:, 1] == found[:, 0] + 1).all()


def test_parquet_is_cut_by_rows(tmp_path: Path) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    frame = pd.DataFrame({"id": np.arange(100_000), "name": [f"n{n % 11}" for n in range(100_000)]})
    frame.to_parquet(source, row_group_size=5_000)
    share = _sample(source, target)
    found = pd.read_parquet(target)
    assert list(found.dtypes) == list(frame.dtypes)
    assert share == len(found) / len(frame)
    assert found["id"].max() > 90_000


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b" + b"x" * 300_000, b'{"a": 1, "b": [' + b"1," * 200_000 + b"1]}", b"PK\x03\x04" + b"0" * 300_000]
)
def test_what_has_no_parts_is_left_alone(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "a"
    source.write_bytes(content)
    assert _sample(source, tmp_path / "b") == 0.0
