"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_contracts.scalars import format_bytes, parse_bytes

AMOUNTS = {
    "0": 0, "800000": 800_000, "7B": 7, "512MiB": 512 << 20, "4GiB": 4 << 30, "1.5 GiB": 3 << 29, "8MB": 8_000_000, "2kb": 2000,
    " 1 TiB ": 1 << 40, "0.1KB": 100, "1.0001 B": 1,
}  # fmt: skip


@pytest.mark.parametrize(("text", "amount_bytes"), AMOUNTS.items())
def test_an_amount_is_read(text: str, amount_bytes: int) -> None:
    assert parse_bytes(text) == amount_bytes


@pytest.mark.parametrize("text", ["", "MiB", "-1", "4 Gigs", "1,5GiB", "1e9", "٣MiB", "4GiB!", "nan", "0x10", "1 2"])
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="512MiB"):
        parse_bytes(text)


SHOWN = {
    0: "0 B", 1023: "1023 B", 1024: "1 KiB", 512 << 20: "512 MiB", 9_985_798_963: "9.3 GiB", (1 << 20) - 1: "1 MiB", 5 << 50: "5120 TiB",
}  # fmt: skip


@pytest.mark.parametrize(("amount_bytes", "text"), SHOWN.items())
def test_an_amount_is_shown(amount_bytes: int, text: str) -> None:
    assert format_bytes(amount_bytes) == text


@given(st.integers(0, 1 << 60))
def test_what_is_shown_is_read_within_its_rounding(amount_bytes: int) -> None:
    assert parse_bytes(format_bytes(amount_bytes)) == pytest.approx(amount_bytes, rel=0.06)
