"""Which methods of other services each service calls, as its code says.

A client's methods name the RPCs that they call. A service calls those of them that are read from
something typed as that client, or as a Protocol that it answers to: in its own package, and in what
it uses of the chassis and of `clients`.
"""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from .sources import Source, sources

Methods = dict[str, set[str]]
"""RPC paths by the Python method that calls them."""
KINDS = {"unary", "server_stream", "client_stream", "bidi_stream"}
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (ast.ClassDef, *FUNCTIONS)


class Place(NamedTuple):
    """Something that is defined at the top of a module."""

    module: str
    name: str


def called_by(service: str) -> dict[str, set[str]]:
    """RPC paths, each with the places in the code that call it."""
    clients = constructed_in(service)
    found: dict[str, set[str]] = {}
    for place, node in reached_from(service):
        for path in _opened(place, node):
            found.setdefault(path, set()).add(place.module)
        for kind, method in _read(node):
            for client in _answering(place, kind, clients):
                for path in methods_of(client).get(method, ()):
                    found.setdefault(path, set()).add(place.module)
    return found


def unseen_in(service: str) -> set[str]:
    """Reads of a client's methods, by the names that clients go by, of which no type is said."""
    made = constructed_in(service)
    calling = {name for client in made for name, paths in methods_of(client).items() if paths}
    seen: set[str] = set()
    unseen: set[tuple[str, str]] = set()
    for place, node in reached_from(service):
        for function, types in _scopes(node):
            seen |= {_last(x) for x, kind in types.items() if _answering(place, kind, made)}
            for each in ast.walk(function):
                if isinstance(each, ast.Attribute) and each.attr in calling:
                    receiver = ast.unparse(each.value)
                    if receiver not in types:
                        unseen.add((_last(receiver), f"{place.module}: {receiver}.{each.attr}"))
    return {text for last, text in unseen if last in seen}


@cache
def clients() -> dict[str, Place]:
    """Every client class by its name."""
    return {
        place.name: place
        for place, node in _definitions("clients")
        if place.name.endswith("Client") and isinstance(node, ast.ClassDef)
    }


def constructed_in(service: str) -> set[str]:
    """The client classes that a service constructs."""
    return {
        node.func.id
        for source in _modules(f"services.{service}")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    } & clients().keys()


@cache
def methods_of(client: str) -> Methods:
    """A client's methods with the RPCs that they call, those of its bases too."""
    return _methods(clients()[client])


def reached_from(service: str) -> Iterator[tuple[Place, Definition]]:
    """A service's own definitions, and what they use of the chassis and of `clients`."""
    waiting = list(_definitions(f"services.{service}"))
    seen = {place for place, _ in waiting}
    while waiting:
        place, node = waiting.pop()
        yield place, node
        for used in _uses(place, node):
            if used not in seen and used.name not in clients():
                seen.add(used)
                waiting += [(used, found) for found in [_definition(used)] if found]


def _modules(package: str) -> list[Source]:
    return [s for s in sources() if f"{s.module}.".startswith(f"{package}.")]


@cache
def _definitions(package: str) -> list[tuple[Place, Definition]]:
    return [
        (Place(source.module, node.name), node)
        for source in _modules(package)
        for node in source.tree.body
        if isinstance(node, DEFINITIONS)
    ]


def _definition(place: Place) -> Definition | None:
    return dict(_definitions(place.module)).get(place)


@cache
def _names(module: str) -> dict[str, Place]:
    """What a module's names stand for, as far as it is ours."""
    (source,) = (s for s in sources() if s.module == module)
    found = {place.name: place for place, _ in _definitions(module) if place.module == module}
    for name in source.imports():
        stem, _, last = name.rpartition(".")
        if stem.startswith(("services.", "clients")):
            found.setdefault(last, Place(stem, last))
    return found


def _uses(place: Place, node: ast.AST) -> set[Place]:
    """Places of the chassis and of `clients` that a definition names."""
    names = _names(place.module)
    used = {names[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in names}
    return {each for each in used if each.module.startswith(("services.chassis", "clients"))}


def _methods(place: Place) -> Methods:
    node = _definition(place)
    if not isinstance(node, ast.ClassDef):
        return {}
    known: Methods = {}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in _names(place.module):
            known |= _methods(_names(place.module)[base.id])
    paths = dict(_assigned(place, node))
    functions = {f.name: _of_self(f) for f in node.body if isinstance(f, FUNCTIONS)}
    for name in functions:
        known[name] = set()
    for _ in functions:  # a method may call another one, and that the next
        for name, attributes in functions.items():
            if name != "__init__":
                known[name] |= {paths[each] for each in attributes & paths.keys()}
                known[name] |= {p for each in attributes & known.keys() for p in known[each]}
    return known


def _assigned(place: Place, node: ast.AST) -> Iterator[tuple[str, str]]:
    """`self.X = self.unary(PATH, ...)`: X and the path."""
    for each in ast.walk(node):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Attribute):
            for path in _opened(place, each.value):
                yield each.targets[0].attr, path


def _opened(place: Place, node: ast.AST) -> Iterator[str]:
    """Paths of the methods that a piece of code opens on a peer."""
    for each in ast.walk(node):
        if (
            isinstance(each, ast.Call)
            and isinstance(each.func, ast.Attribute)
            and each.func.attr in KINDS
            and place.module.startswith("clients.")
            and place.module != "clients.channel"
        ):
            path = ast.Expression(each.args[0])
            known = vars(importlib.import_module(place.module))
            yield str(eval(compile(path, place.module, "eval"), known))


def _of_self(function: Function) -> set[str]:
    return {
        each.attr
        for each in ast.walk(function)
        if isinstance(each, ast.Attribute) and ast.unparse(each.value) == "self"
    }


def _read(node: Definition) -> Iterator[tuple[str, str]]:
    """What is read from something whose type is said: the type's name and the attribute's."""
    for function, types in _scopes(node):
        for each in ast.walk(function):
            if isinstance(each, ast.Attribute) and (kind := types.get(ast.unparse(each.value))):
                yield kind, each.attr


def _last(text: str) -> str:
    return text.rpartition(".")[2].lstrip("_")


def _scopes(node: Definition) -> Iterator[tuple[Function, dict[str, str]]]:
    """The functions of a definition, each with the types of the expressions of which one is said.

    These are its parameters, clients made there, and what any of them is kept as in `self`.
    """
    functions = [node] if isinstance(node, FUNCTIONS) else node.body
    scopes = [(f, dict(_said(f))) for f in functions if isinstance(f, FUNCTIONS)]
    kept = {x: kind for _, types in scopes for x, kind in types.items() if x.startswith("self.")}
    yield from ((function, types | kept) for function, types in scopes)


def _said(function: Function) -> Iterator[tuple[str, str]]:
    said = {a.arg: _type(a.annotation) for a in _arguments(function) if a.annotation}
    yield from said.items()
    for statement in ast.walk(function):
        if isinstance(statement, ast.Assign):
            kept = ast.unparse(statement.value)
            made = [n.id for n in ast.walk(statement.value) if isinstance(n, ast.Name)]
            kinds = [said[kept]] if kept in said else [n for n in made if n in clients()]
            yield from ((ast.unparse(statement.targets[0]), kind) for kind in kinds)


def _arguments(function: Function) -> Iterator[ast.arg]:
    """The parameters of a function, those of the functions within it too."""
    for each in ast.walk(function):
        if isinstance(each, FUNCTIONS):
            yield from (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)


def _type(annotation: ast.expr) -> str:
    """The name of a type; of several the first, which is the one that is not None."""
    text = ast.unparse(annotation).strip("'\"")
    return text.partition(" |")[0].partition("[")[0]


def _answering(place: Place, kind: str, clients_made: set[str]) -> set[str]:
    """The clients that a type stands for: itself, or those that have all methods of a Protocol."""
    if kind in clients_made:
        return {kind}
    where = _names(place.module).get(kind)
    node = _definition(where) if where else None
    if not isinstance(node, ast.ClassDef):
        return set()
    wanted = _promised(where, node) if where else set()
    return {each for each in clients_made if wanted and wanted <= methods_of(each).keys()}


def _promised(place: Place, node: ast.ClassDef) -> set[str]:
    """The methods of a Protocol, those of its bases too; none where it is no Protocol."""
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    if "Protocol" not in bases:
        return set()
    found = {each.name for each in node.body if isinstance(each, FUNCTIONS)}
    for base in bases:
        where = _names(place.module).get(base)
        above = _definition(where) if where else None
        if where and isinstance(above, ast.ClassDef):
            found |= _promised(where, above)
    return found
