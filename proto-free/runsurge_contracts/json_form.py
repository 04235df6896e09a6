"""Contracts as plain JSON values, and back: dataclasses of numbers, texts, enumerations, tuples and mappings.

    to_json(Node(name="lab", memory_bytes=8))   {"name": "lab", "memory_bytes": 8, "ip_address": "127.0.0.1", "port": 0}
    from_json(Node, {"name": "lab", "memory_bytes": "8"})   FormError: memory_bytes: a whole number is needed, found '8'
    schema_of(Node)                             {"type": "object", "properties": {"name": {"type": "string"}, ...}, ...}
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

Contract = TypeVar("Contract")
_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean"}


class FormError(ValueError):
    """A JSON value is not what a contract asks for."""


def to_json(value: object) -> Any:
    """Plain JSON values of a contract."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return value


def from_json(contract: type[Contract], values: object) -> Contract:
    """The contract that `to_json` made these values of.

    Raises:
        FormError: a field is missing, unknown, of another type, or refused by the contract itself.
    """
    return typing.cast("Contract", _read(contract, values, ""))


def _read(hint: Any, value: object, place: str) -> Any:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return _read_contract(hint, value, place)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _read_choice(hint, value, place)
    match typing.get_origin(hint), typing.get_args(hint):
        case types.UnionType, arguments:
            return None if value is None else _read(_needed(arguments), value, place)
        case origin, (item, *_) if origin is tuple:
            if not isinstance(value, list):
                raise FormError(f"{place}: a list is needed, found {value!r}")
            return tuple(_read(item, inner, f"{place}[{index}]") for index, inner in enumerate(value))
        case origin, (_, item) if origin is Mapping:
            if not isinstance(value, dict):
                raise FormError(f"{place}: an object is needed, found {value!r}")
            return {key: _read(item, inner, f"{place}.{key}") for key, inner in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise FormError(f"{place}: {_WORDS[hint]} is needed, found {value!r}")
    return value


def _read_contract(contract: type, value: object, place: str) -> Any:
    dot = f"{place}." if place else ""
    if not isinstance(value, dict):
        raise FormError(f"{place or contract.__name__}: an object is needed, found {value!r}")
    hints = _hints_of(contract)
    for name in value:
        if name not in hints:
            raise FormError(f"{dot}{name}: there is no such field; there are {', '.join(hints)}")
    for name in _required(contract):
        if name not in value:
            raise FormError(f"{dot}{name}: this field is missing")
    found = {name: _read(hints[name], inner, f"{dot}{name}") for name, inner in value.items()}
    try:
        return contract(**found)
    except ValueError as error:
        raise FormError(f"{place or contract.__name__}: {error}") from None


def _read_choice(choice: type[enum.Enum], value: object, place: str) -> enum.Enum:
    try:
        return choice(value)
    except ValueError:
        raise FormError(f"{place}: one of {', '.join(repr(each.value) for each in choice)} is needed, found {value!r}") from None


def schema_of(contract: type) -> dict[str, Any]:
    """The JSON Schema of a contract, each contract inside of it under `$defs`."""
    definitions: dict[str, Any] = {}
    top = _schema(contract, definitions)
    own = definitions.pop(contract.__name__) if "$ref" in top else top
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": contract.__name__, **own, "$defs": definitions}


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}  # so that a contract within itself ends
            definitions[hint.__name__] = _schema_of_fields(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [each.value for each in hint]}
    match typing.get_origin(hint), typing.get_args(hint):
        case types.UnionType, arguments:
            return {"anyOf": [_schema(_needed(arguments), definitions), {"type": "null"}]}
        case origin, (item, *_) if origin is tuple:
            return {"type": "array", "items": _schema(item, definitions)}
        case origin, (_, item) if origin is Mapping:
            return {"type": "object", "additionalProperties": _schema(item, definitions)}
    return {"type": _NAMES[hint]}


def _schema_of_fields(contract: type, definitions: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": (contract.__doc__ or "").split("\n", 1)[0],
        "properties": {name: _schema(hint, definitions) for name, hint in _hints_of(contract).items()},
        "required": _required(contract),
        "additionalProperties": False,
    }


def _required(contract: type) -> list[str]:
    missing = dataclasses.MISSING
    fields = dataclasses.fields(contract)
    return [each.name for each in fields if each.default is missing and each.default_factory is missing]


@functools.cache
def _hints_of(contract: type) -> dict[str, Any]:
    hints = typing.get_type_hints(contract)
    return {each.name: hints[each.name] for each in dataclasses.fields(contract)}


def _needed(arguments: tuple[Any, ...]) -> Any:
    """The type that an optional field has where it is there."""
    needed = [each for each in arguments if each is not type(None)]
    assert len(needed) == 1, arguments
    return needed[0]
