"""pandas scripts in chunks leave what pandas leaves: each table row is a script's middle, over a small file."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from runsurge_dask.analysis.build import build_program
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames import column_types, parquet, parts, reading
from runsurge_dask.runner.frames.needs import needed_columns
from runsurge_dask.runner.frames.nodes import Node, all_nodes
from runsurge_dask.runner.frames.scan import count_rows
from runsurge_dask.runner.frames.table import UnsupportedError
from tests.differential.compare import differences

if TYPE_CHECKING:
    from pathlib import Path

    from tests.differential.compare import Bench

ROWS = [f'{i},{"abc"[i % 3]},{(i * 7) % 11 - 3},{i * 1.25 if i % 9 else ""},{"True" if i % 4 else "False"},"n{i}, x"' for i in range(40)]
FILE = "id,cat,qty,price,flag,name\n" + "\n".join(ROWS) + "\n"
HEAD = "import numpy as np\nimport pandas as pd\n\ndf = pd.read_csv('d.csv')\n"
SPLIT = [
    "df['t'] = df['qty'] * df['price']\ndf.to_csv('o.csv', index=False)",
    "big = df[(df['price'] > 5) & df['flag']]\nbig.to_csv('o.csv')\nprint(len(big), big.index)",
    "print(df['price'].sum(), df['qty'].mean(), df['price'].max(), df['name'].count())",
    "print(df.groupby('cat')['price'].mean())\nprint(df.groupby(['cat', 'flag'], sort=False).agg(n=('id', 'size'), top=('qty', 'max')))",
    "df['w'] = df.apply(lambda r: f\"{r['id']}:{r['cat']}\", axis=1)\nprint(df.to_string())",
    "df['k'] = np.where(df['qty'] > 2, 'big', 'small')\nprint(df['k'].value_counts())",
    "df = df[df['qty'] > 0].reset_index(drop=True)\ndf = df[df['price'] > 9]\nprint(df.index)\nprint(df)",
    "df.loc[df['qty'] < 0, 'price'] = 0.5\nprint(df[['qty', 'price']].sum())",
    "LIMIT = 3\nprint(df.query('qty > @LIMIT')['id'].max())",
    "other = df\nother['z'] = 1\nprint(df.columns.tolist(), df['z'].sum())",
]
WHOLE = [
    "df['level'] = df['qty'].cumsum()\nprint(df['level'].tolist())",
    "print(df.sort_values('price').head(3))",
    "df['m'] = df['qty'].map(lambda q, seen=[]: seen.append(q) or len(seen))\nprint(df['m'].tolist())",
    "df['d'] = df['name'].apply(int)\nprint('not reached')",
    "df.to_csv('d.csv', index=False)\nprint(open('d.csv').read())",
    "print(df['missing'])",
    "L = 3\ndf = df[df['id'] > 1].reset_index(drop=True)\nprint(df.query('qty > @L').std(numeric_only=True))",
    "df.rename(columns={'qty': 'n'}, inplace=True)\nprint(df.n.sum())",
]


def run(bench: Bench, folder: Path, text: str, script: str) -> tuple[list[str], bool]:
    """How the cut answer differs, and whether anything was cut."""
    plain, cut = folder / "plain", folder / "cut"
    plain.mkdir()
    (plain / "d.csv").write_bytes(text.encode("latin-1"))
    (plain / "script.py").write_text(script)
    shutil.copytree(plain, cut)
    expected = bench.run_plain(plain)
    given, stages = bench.run_planned(cut, chunks=3)
    return differences(expected, given, (plain, cut)), any(stage.is_split for stage in stages)


@pytest.mark.parametrize("middle", SPLIT)
def test_row_wise_and_joinable_code_is_cut(bench: Bench, tmp_path: Path, middle: str) -> None:
    assert run(bench, tmp_path, FILE, HEAD + middle + "\n") == ([], True)


@pytest.mark.parametrize("middle", WHOLE)
def test_other_code_gives_the_same_answer(bench: Bench, tmp_path: Path, middle: str) -> None:
    assert run(bench, tmp_path, FILE, HEAD + middle + "\n")[0] == []


@pytest.mark.parametrize(
    "text",
    [
        FILE + "x40,a,1,2.0,True,late word\n",
        FILE + "40,a,,2.0,True,late hole\n",
        FILE + "40,a,1,2.0,True,n,one field more\n",
        FILE + '40,a,1,2.0,True,"open quote\n',
        FILE + "\n41,b\n",
        FILE.replace("\n", "\r\n"),
        FILE.replace("n7, x", "n7\nx"),
    ],
)
def test_a_file_that_changes_its_mind_is_read_as_pandas_reads_it(bench: Bench, tmp_path: Path, text: str) -> None:
    script = HEAD + "print('read')\ndf['t'] = df['qty'] + 1\nprint(df.to_string())\nprint(df.dtypes)\n"
    assert run(bench, tmp_path, text, script)[0] == []


LONG = "id,cat,qty,price,flag,name\n" + "".join(f"{i},{'abc'[i % 3]},{i * 7 % 11 - 3},{i * 1.25},True,name {i}\n" for i in range(50_000))
LATE = [
    ("", "df['t'] = df['qty'] + 1\nprint(df['t'].sum(), len(df), df['price'].max())"),
    ("1,a,1,2.0,True,n,one field more\n", "big = df[df['qty'] > 1]\nprint(len(big), big['price'].sum())"),
    ("1,a\n1,a,1,2.0,True,n,more\n", "print(df['price'].sum())"),
    ("1,a\n1,a,1,2.0,True,n,\n", "print(df['price'].max())"),
    ("1,a,x,2.0,True,text\n", "t = df['qty'] + 1\nu = t * 2\nprint('sum', u.sum())"),
    ("1,a,,2.0,True,hole\n", "t = df['qty'] + 1\nprint(t.sum(), df['qty'].max(), df.dtypes)"),
    ('1,a,1,2.0,True,"late quote, here"\n', "df = df[df['qty'] > 0]\nprint(df.groupby('cat')['price'].mean())"),
    ("1,a,1,2.0,True,re\rturn\n", "print(df['price'].count())\nprint(df['name'].count())"),
    ("x,a,1,2.0,True,word\n", "print(df['price'].max())\nprint(df.iloc[-1])"),
    ("\n1,b\n", "print(df['qty'].max(), df['name'].count())"),
    ("1,a,1,2.0,True,\xff\n", "print(df['price'].max())"),
    ("1,a,1,2.0,True,n\n", "print(len(df))\nfor name in df.columns:\n    print(name, df[name].count(), df[name].nunique())"),
    ("1,a,1,2.0,True,n\nx,a,1,2.0,True,n\n", "print(len(df))\nname = 'i' + 'd'\nt = df[name] + 1\nprint('not reached')\nprint(t.sum())"),
    ("x,a,1,2.0,True,n\n", "print(df['qty'].sum())\nt = df * 2\nprint('seen')\nprint(t['price'].max())"),
    ("", "other = pd.read_csv('nowhere.csv')\nprint(df['qty'].sum())"),
    ("1,a,1,2.0,True,n,more\n", "other = pd.read_csv('nowhere.csv')\nprint(df['qty'].sum())"),
    ("1,a,1,2.0,True,n,more\n", "import sys\nprint('seen', file=sys.stderr)\nprint(df['qty'].sum())"),
]
"""Lines at the end of a file, far from the first rows that are looked at, and what is asked of it."""


@pytest.mark.parametrize(("end", "middle"), LATE)
def test_what_the_first_chunks_find_comes_where_plain_python_has_it(bench: Bench, tmp_path: Path, end: str, middle: str) -> None:
    assert run(bench, tmp_path, LONG + end, HEAD + middle + "\n")[0] == []


def test_one_pass_answers_the_questions_of_the_following_lines(bench: Bench, tmp_path: Path) -> None:
    lines = [f"{i},{'abc'[i % 3]},{i * 0.5}" for i in range(300)]
    script = "df = pd.read_csv('d.csv')\nbig = df[df['i'] > 3]\nprint(len(big))\nprint(big['x'].sum(), big['x'].max())\n"
    script += "t = big.groupby('c')['x'].mean()\nprint(t)\nprint(df['i'].min())\n"
    (tmp_path / "d.csv").write_text("i,c,x\n" + "\n".join(lines) + "\n")
    (tmp_path / "script.py").write_text("import pandas as pd\n" + script)
    _, stages = bench.run_planned(tmp_path, chunks=3)
    assert len(stages) == 1


@pytest.mark.parametrize(
    ("script", "may_wait"),
    [
        ("df = pd.read_csv('a')\nbig = df[df.x > 1]\nprint(len(big))", True),
        ("df = pd.read_csv('a')\nprint('read')\nprint(len(df))", False),
        ("df = pd.read_csv('a')\nprint(df.columns.size)", False),
        ("df = pd.read_csv('a')\nprint(df['a'].str.count('x'))", False),
        ("try:\n    df = pd.read_csv('a')\n    print(df.a.sum())\nexcept ValueError:\n    pass", False),
        ("df = pd.read_csv('a')\nn = p / q\nprint(df.a.sum())", False),
        ("df = pd.read_csv('a')\nother = pd.read_csv('b')\nprint(df.a.sum())", True),
        ("df = pd.read_csv('a')\ndf['t'] = (df.a * 1.5).round(2)\ndf.to_csv('o.csv', index=False)", True),
        ("df = pd.read_csv('a')\nfor key, group in df.groupby('a'):\n    print(key)", False),
    ],
)
def test_a_read_waits_for_the_first_question_only_where_nothing_can_be_seen_before(script: str, may_wait: bool) -> None:  # noqa: FBT001
    program = build_program("import pandas as pd\n" + script, "script.py")
    assert [site.may_wait for site in program.sites if site.form == "frame"][0] is may_wait  # noqa: RUF015


@pytest.mark.parametrize(
    ("script", "is_small"),
    [
        ("df = pd.read_csv('a')\nprint(df[df.x > 1]['y'].sum())", True),
        ("df = pd.read_csv('a')\nt = df.groupby('k')['v'].mean().sort_values()\nprint(t.head())", True),
        ("df = pd.read_csv('a')\nprint(df.sort_values('v').head())", False),
        ("df = pd.read_csv('a')\nprint(df)", False),
        ("df = pd.read_csv('a')\nfor row in df.itertuples():\n    print(row)", False),
        ("df = pd.read_csv('a')\nrows = [df, df]", False),
        ("df = pd.read_csv('a')\ndf['t'] = df['a'].str.upper()\ndf.to_csv('b')", True),
    ],
)
def test_scripts_that_ask_small_things_are_told_from_others(script: str, is_small: bool) -> None:  # noqa: FBT001
    program = build_program("import pandas as pd\n" + script, "script.py")
    assert {site.is_small for site in program.sites if site.form == "frame"} == {is_small}


@pytest.mark.parametrize(
    ("content", "rows"), [(b"1,2,3\n4,5,6\n", 2), (b'1,"a\nb,",3\n', 1), (b"1,2\n\n4,5,6", 2), (b'"a ""q"" b",2,3\r\n', 1)]
)
def test_rows_are_counted_as_pandas_counts_them(content: bytes, rows: int) -> None:
    assert count_rows(content, ",", 3, "utf-8") == rows


@pytest.mark.parametrize("content", [b"1,2,3,4\n", b'1,"a\n', b"1,\xff,3\n", b"1,2\r3\n", b'1,a"b,"c\n', b"1,\0,3\n"])
def test_bytes_on_which_reading_may_fail_are_refused(content: bytes) -> None:
    with pytest.raises(Escape):
        count_rows(content, ",", 3, "utf-8")


def test_text_in_some_places_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b\n" + "x,1\n" * 100)
    table, _ = reading.open_table(path, {})
    frame = pd.DataFrame({"a": pd.Series(["x", *("1" for _ in range(600_000))], dtype="str"), "b": np.arange(600_001)})
    with pytest.raises(Escape):
        column_types.check_pieces(table, [column_types.report_types(table, frame)], [len(frame)])


def test_a_stage_reads_the_columns_that_it_needs() -> None:
    meta = pd.DataFrame({"a": [1], "b": [2], "c": ["x"], "d": [0.5]})
    source = Node("source")
    source.meta = meta
    price = Node("getitem", (source, "b"))
    price.meta = meta["b"]
    mask = Node("operator:gt", (price, 1))
    mask.meta = meta["b"] > 1
    kept = Node("getitem", (source, mask))
    kept.meta = meta
    name = Node("getitem", (kept, "c"))
    name.meta = meta["c"]
    assert needed_columns([(name, ("unique",))], all_nodes([name]), source) == ["b", "c"]
    assert needed_columns([(kept, ("keep",))], all_nodes([kept]), source) is None
    assert needed_columns([(kept, ("rows",))], all_nodes([kept]), source) == ["b"]


def test_groups_of_a_parquet_file_are_looked_over_once(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    pd.DataFrame({"a": np.arange(10), "c": pd.Categorical(list("xyxyxyxyxy"))}).to_parquet(path, row_group_size=4)
    table, first = parquet.open_table(path, {})
    chunks = [{"start": 0, "end": 3}, {"start": 3, "end": 10}]
    scans = [table.scan(chunk) for chunk in chunks]
    assert [scan["rows"] for scan in scans] == [3, 7]
    assert not table.settle(scans)
    assert list(table.first_rows(first).dtypes) == list(first.dtypes)
    pd.testing.assert_frame_equal(pd.concat([table.load(chunk) for chunk in chunks], ignore_index=True), pd.read_parquet(path))
    assert table.settle_cuts([0, 5, 10], is_forced=False) == [0, 4, 10]


@pytest.mark.parametrize("arguments", [{"filters": [("a", ">", 1)]}, {"columns": ["zz"]}, {"engine": "fastparquet"}, {"columns": "a"}])
def test_calls_of_read_parquet_that_are_left_to_pandas(tmp_path: Path, arguments: dict[str, object]) -> None:
    path = tmp_path / "d.parquet"
    pd.DataFrame({"a": [1, 2]}).to_parquet(path)
    with pytest.raises(UnsupportedError):
        parquet.open_table(path, arguments)


def test_spreads_join_from_parts() -> None:
    values = pd.Series(np.arange(50) % 7 * 1.25)
    pieces = [values.iloc[:11].reset_index(drop=True), values.iloc[11:40], values.iloc[40:]]
    given = [parts.give(piece, ("reduce", "std", {}, False), {}) for piece in pieces]
    assert parts.join_reduction("std", values, given) == pytest.approx(values.std(), rel=1e-12)
    with pytest.raises(Escape):
        parts.join_reduction("std", values, [([(5, 1e9, 1e-9)], ["x"]), ([(5, 1e9, 1e-9)], ["x"])])
