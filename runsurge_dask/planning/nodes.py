"""Read a fleet from a file.

    - name: lab-1                or  nodes:
      memory: 4GiB                     - {name: lab-1, memory: 4GiB}
      ip_address: 10.0.0.5
      port: 8786
    - {name: lab-2, memory: 8000000}
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from runsurge_contracts.plan import Node
from runsurge_contracts.scalars import parse_bytes
from runsurge_dask.planning.refusals import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own, for this one file

EXAMPLE = "Write for example `- {name: lab-1, memory: 4GiB, ip_address: 10.0.0.5, port: 8786}`, one line a node."
CODE = "bad-nodes"
FIELDS = ("name", "memory", "ip_address", "port")
HIGHEST_PORT = 65_535


def read_nodes(path: str) -> tuple[Node, ...]:
    """The nodes of a YAML file, in its order.

    Raises:
        PlanError: the file cannot be read, or is no list of nodes; it says on which line, what, and what to write.
    """
    tree = _compose(_read(path), path)
    nodes: list[Node] = []
    for each in _entries(tree, path):
        node = _read_node(each, path)
        if node.name in {other.name for other in nodes}:
            raise _error(path, each, f"there are two nodes {node.name!r}", remedy="Give every node a name of its own.")
        nodes.append(node)
    return tuple(nodes)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        raise PlanError(path, "there is no such file of nodes", remedy="Check the path.", code=CODE) from None
    except UnicodeDecodeError as error:
        raise PlanError(path, f"it is no readable text ({error.reason})", remedy="Save it as UTF-8.", code=CODE) from None
    except OSError as error:
        raise PlanError(path, f"it cannot be read ({error.strerror})", remedy="Check the path and its permissions.", code=CODE) from None


def _compose(text: str, path: str) -> yaml.Node:
    import yaml

    try:
        tree: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        where = f"{path}, line {error.problem_mark.line + 1}" if error.problem_mark else path
        raise PlanError(where, f"this is no YAML ({error.problem})", remedy=EXAMPLE, code=CODE) from None
    except yaml.YAMLError as error:  # a control character: it has no mark
        raise PlanError(path, f"this is no YAML ({str(error).splitlines()[0]})", remedy=EXAMPLE, code=CODE) from None
    except RecursionError:
        raise PlanError(path, "it is nested too deeply", remedy=EXAMPLE, code=CODE) from None
    if tree is None:
        raise PlanError(path, "it is empty", remedy=EXAMPLE, code=CODE)
    return tree


def _entries(tree: yaml.Node, path: str) -> list[yaml.Node]:
    import yaml

    if isinstance(tree, yaml.MappingNode):
        inner = {key.value: value for key, value in tree.value}
        if set(inner) != {"nodes"}:
            raise _error(path, tree, "a list of nodes is needed", remedy=EXAMPLE)
        tree = inner["nodes"]
    if not isinstance(tree, yaml.SequenceNode) or not tree.value:
        raise _error(path, tree, "a list of at least one node is needed", remedy=EXAMPLE)
    return list(tree.value)


def _read_node(entry: yaml.Node, path: str) -> Node:
    fields = dict(_fields(entry, path))
    for name in ("name", "memory"):
        if name not in fields:
            raise _error(path, entry, f"this node has no {name}", remedy=EXAMPLE)
    return Node(
        name=_text(fields["name"], path, "name"),
        memory_bytes=_memory(fields["memory"], path),
        ip_address=_address(fields["ip_address"], path) if "ip_address" in fields else "127.0.0.1",
        port=_port(fields["port"], path) if "port" in fields else 0,
    )


def _fields(entry: yaml.Node, path: str) -> Iterator[tuple[str, yaml.Node]]:
    import yaml

    if not isinstance(entry, yaml.MappingNode):
        raise _error(path, entry, "a node is written as its fields", remedy=EXAMPLE)
    seen: set[str] = set()
    for key, value in entry.value:
        if key.value not in FIELDS:
            raise _error(path, key, f"a node has no field {key.value!r}", remedy=f"There are {', '.join(FIELDS)}.")
        if key.value in seen:
            raise _error(path, key, f"{key.value} stands twice", remedy="Keep one of them.")
        seen.add(key.value)
        yield key.value, value


def _text(value: yaml.Node, path: str, name: str) -> str:
    found = _scalar(value, path, name)
    if not found:
        raise _error(path, value, f"its {name} is empty", remedy=EXAMPLE)
    return found


def _memory(value: yaml.Node, path: str) -> int:
    text = _scalar(value, path, "memory").replace("_", "")
    try:
        memory_bytes = parse_bytes(text)
    except ValueError as error:
        raise _error(path, value, str(error), remedy="For example `memory: 4GiB`.") from None
    if memory_bytes <= 0:
        raise _error(path, value, f"a memory of {text or 'nothing'}", remedy="For example `memory: 4GiB`.")
    return memory_bytes


def _address(value: yaml.Node, path: str) -> str:
    text = _scalar(value, path, "ip_address")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise _error(path, value, f"{text!r} is no IP address", remedy="For example `ip_address: 10.0.0.5`.") from None


def _port(value: yaml.Node, path: str) -> int:
    text = _scalar(value, path, "port")
    if not (text.isascii() and text.isdigit()) or not 0 <= int(text) <= HIGHEST_PORT:
        raise _error(path, value, f"{text!r} is no port", remedy=f"Write a number from 0 to {HIGHEST_PORT}.")
    return int(text)


def _scalar(value: yaml.Node, path: str, name: str) -> str:
    import yaml

    if not isinstance(value, yaml.ScalarNode):
        raise _error(path, value, f"its {name} is not one value", remedy=EXAMPLE)
    return str(value.value).strip()


def _error(path: str, node: Any, what: str, *, remedy: str) -> PlanError:
    return PlanError(f"{path}, line {node.start_mark.line + 1}", what, remedy=remedy, code=CODE)
