"""What task scripts have in common, as the text that stands in each of them: plain Python, the standard library only.

A value is handed on by pickle only where its copy is exactly the same to any later statement: numbers that are equal to
themselves, texts, and lists, tuples and tables of such values. For anything else the task goes on with the rest of the script.
"""

from __future__ import annotations

ACCESS = """
import os as _rs_os
import pickle as _rs_pickle
import sys as _rs_sys

_rs_data = _rs_os.path.join(_rs_os.path.dirname(_rs_os.path.abspath(__file__)), "data")


def _rs_path(data_id):
    return _rs_os.path.join(_rs_data, data_id + ".pkl")


def _rs_read(data_id):
    with open(_rs_path(data_id), "rb") as file:
        return _rs_pickle.load(file)


def _rs_load(names):
    for name, data_id in names.items():
        if _rs_os.path.exists(_rs_path(data_id)):
            globals()[name] = _rs_read(data_id)
"""

LEAVING = """
if _rs_os.path.exists(_rs_path("finished")):
    _rs_sys.exit(0)  # an earlier task held a value that cannot be stored, and ran the rest itself
"""

BEGINNING = """
_rs_os.makedirs(_rs_data, exist_ok=True)
if _rs_os.path.exists(_rs_path("finished")):
    _rs_os.remove(_rs_path("finished"))
"""

STORING = """
import collections as _rs_collections
import datetime as _rs_datetime
import decimal as _rs_decimal
import fractions as _rs_fractions
import re as _rs_re


def _rs_inner(value):
    kind = type(value)
    if kind in (list, tuple, _rs_collections.deque):
        return list(value)
    if kind in (dict, _rs_collections.Counter, _rs_collections.OrderedDict):
        return [*value.keys(), *value.values()]
    if kind is _rs_collections.defaultdict and value.default_factory in (None, int, float, str, list, dict):
        return [*value.keys(), *value.values()]
    return None


def _rs_is_plain(value):
    waiting, seen = [value], set()
    while waiting:
        each = waiting.pop()
        kind = type(each)
        if kind in (int, bool, str, bytes, type(None), range, _rs_fractions.Fraction, _rs_re.Pattern):
            continue
        if kind in (_rs_datetime.date, _rs_datetime.timedelta):
            continue
        if (kind is float and each == each) or (kind is _rs_decimal.Decimal and each.is_finite()):
            continue
        if kind in (_rs_datetime.datetime, _rs_datetime.time) and each.tzinfo is None:
            continue
        inner = _rs_inner(each)
        if inner is None:
            return False
        if id(each) not in seen:
            seen.add(id(each))
            waiting.extend(inner)
    return True


def _rs_write(data_id, value):
    with open(_rs_path(data_id) + ".new", "wb") as file:
        _rs_pickle.dump(value, file, protocol=5)
    _rs_os.replace(_rs_path(data_id) + ".new", _rs_path(data_id))


def _rs_forget(data_id):
    if _rs_os.path.exists(_rs_path(data_id)):
        _rs_os.remove(_rs_path(data_id))


def _rs_store(names):
    _rs_os.makedirs(_rs_data, exist_ok=True)
    for data_id in names.values():
        _rs_forget(data_id)
    values = {data_id: globals()[name] for name, data_id in names.items() if name in globals()}
    if not all(map(_rs_is_plain, values.values())):
        return False
    try:
        for data_id, value in values.items():
            _rs_write(data_id, value)
    except RecursionError:
        return False
    return True
"""

JOINING = """

class _rs_NotExact(Exception):
    pass


def _rs_extend(whole, part):
    if type(whole) is not list or type(part) is not list:
        raise _rs_NotExact
    whole.extend(part)


def _rs_update(whole, part):
    if not isinstance(whole, dict) or type(whole) is not type(part):
        raise _rs_NotExact
    for key, value in part.items():
        whole[key] = value


def _rs_merge(whole, part):
    if not isinstance(whole, dict) or type(whole) is not type(part):
        raise _rs_NotExact
    for key, value in part.items():
        if key not in whole:
            whole[key] = value
        elif type(whole[key]) is not type(value):
            raise _rs_NotExact
        elif type(value) in (int, str):
            whole[key] += value
        elif type(value) is list:
            whole[key].extend(value)
        else:
            _rs_merge(whole[key], value)
"""
