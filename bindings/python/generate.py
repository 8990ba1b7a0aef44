#!/usr/bin/env python3
"""Writes what include/gradflow/*.h declare in other forms.

gradflow/_c.py has the structs, constants and functions for ctypes; tests/support/layout_rows.h has
a row per struct and member, by which a test compares the former with what a C compiler makes of
the headers.

The headers are plain C declarations, so that a small parser is enough. What it does not know is an
error with its place.

    usage: generate.py [--check]

With --check nothing is written; the exit code is 1 where a file is not what would be written.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HEADERS = ROOT / "include" / "gradflow"
BINDINGS = HERE / "gradflow" / "_c.py"
LAYOUT = ROOT / "tests" / "support" / "layout_rows.h"
WIDTH = 100

SCALARS = {
    "bool": "c_bool",
    "char": "c_char",
    "double": "c_double",
    "float": "c_float",
    "int": "c_int",
    "long": "c_long",
    "long long": "c_longlong",
    "size_t": "c_size_t",
    "unsigned char": "c_ubyte",
    "unsigned long long": "c_ulonglong",
}
TOKEN = re.compile(r"\s*([A-Za-z_]\w*|\d+|\.\.\.|[^\s\w])")
IGNORED = {"const", "GF_API", "GF_MUST_USE"}


@dataclass
class Field:
    name: str
    type: str


@dataclass
class Tree:
    """What the headers declare, in their order."""

    constants: dict[str, int] = field(default_factory=dict)
    enums: set[str] = field(default_factory=set)
    structs: dict[str, list[Field]] = field(default_factory=dict)
    callbacks: dict[str, str] = field(default_factory=dict)  # name: CFUNCTYPE(...)
    functions: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)  # of callbacks and structs


class Parser:
    """Reads one header into the tree."""

    def __init__(self, path: Path, tree: Tree) -> None:
        text = re.sub(r"/\*.*?\*/", " ", path.read_text(encoding="utf-8"), flags=re.S)
        text = re.sub(r"^#.*?(?<!\\)$", " ", text, flags=re.M)
        self.path, self.tree, self.at = path, tree, 0
        self.tokens = [t for t in TOKEN.findall(text) if t not in IGNORED]

    def fail(self, what: str) -> None:
        near = " ".join(self.tokens[max(0, self.at - 8) : self.at + 4])
        sys.exit(f"generate.py: {self.path.name}: {what}, near: {near}")

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            self.fail(f"expected {expected or 'more'}")
        self.at += 1
        return token

    # ---- types ----

    def base_type(self) -> str:
        """The words of a type without its stars: "unsigned long long", "gf_epoch"."""
        if self.peek() in ("struct", "enum"):
            self.take()
            return self.take()
        words = [self.take()]
        while words[0] in ("unsigned", "long") and self.peek() in ("char", "int", "long"):
            words.append(self.take())
        return " ".join(words)

    def stars(self) -> int:
        count = 0
        while self.peek() == "*":
            self.take()
            count += 1
        return count

    def ctype(self, base: str, stars: int) -> str:
        """The name of the type in ctypes. What is opaque is a void *."""
        if base in self.tree.callbacks:
            return base
        if base == "void" or not (
            base in SCALARS or base in self.tree.enums or base in self.tree.structs
        ):
            if base == "void" and not stars:
                return "None"
            name, stars = "c_void_p", stars - 1
        elif base == "char" and stars:
            name, stars = "c_char_p", stars - 1
        elif base in self.tree.structs:
            name = base
        else:
            name = SCALARS.get(base, "c_int")
        if stars < 0:
            self.fail(f"{base} by value, which is opaque")
        return "POINTER(" * stars + name + ")" * stars

    def size(self) -> int:
        token = self.take()
        size = int(token) if token.isdigit() else self.tree.constants.get(token)
        if size is None:
            self.fail(f"unknown size {token}")
        return size or 0

    def arguments(self) -> list[str]:
        """Those of a function, from its ( to its )."""
        types: list[str] = []
        self.take("(")
        if self.peek() == "void" and self.peek(1) == ")":
            self.take()
        while self.peek() != ")":
            types.append(self.declaration("")[1])
            if self.peek() == ",":
                self.take()
        self.take(")")
        return types

    def callback(self, result: str, name: str) -> str:
        function = f"CFUNCTYPE({', '.join([result, *self.arguments()])})"
        self.tree.callbacks[name] = function
        self.tree.order.append(name)
        return name

    def declaration(self, owner: str) -> tuple[str, str]:
        """A name and its type, of a field or an argument."""
        base, stars = self.base_type(), self.stars()
        if self.peek() == "(":
            self.take()
            self.take("*")
            name = self.take()
            self.take(")")
            result = self.ctype(base, stars)
            if owner:
                return name, self.callback(result, f"{owner}_{name}")
            return name, f"CFUNCTYPE({', '.join([result, *self.arguments()])})"
        name = self.take() if re.match(r"[A-Za-z_]", self.peek()) else ""
        kind = self.ctype(base, stars)
        while self.peek() == "[":
            self.take()
            kind += f" * {self.size()}"
            self.take("]")
        return name, kind

    # ---- declarations ----

    def constants(self) -> None:
        value = -1
        self.take("{")
        while self.peek() != "}":
            name = self.take()
            value += 1
            if self.peek() == "=":
                self.take()
                value = self.size()
            self.tree.constants[name] = value
            if self.peek() == ",":
                self.take()
        self.take("}")

    def fields(self, owner: str) -> list[Field]:
        fields: list[Field] = []
        self.take("{")
        while self.peek() != "}":
            fields.append(Field(*self.declaration(owner)))
            self.take(";")
        self.take("}")
        return fields

    def type_definition(self) -> None:
        self.take("typedef")
        if self.peek() == "struct" and self.peek(2) == "{":
            self.take()
            name = self.take()
            self.tree.structs[name] = self.fields(name)
            self.tree.order.append(name)
            self.take(name)
        elif self.peek() == "enum" and self.peek(2) == "{":
            self.take()
            name = self.take()
            self.constants()
            self.tree.enums.add(name)
            self.take(name)
        elif self.peek() == "struct":
            self.take()
            self.take()
            self.take()
        else:
            base, stars = self.base_type(), self.stars()
            name = self.take()
            self.callback(self.ctype(base, stars), name)
        self.take(";")

    def skip_function(self) -> None:
        """One that is defined in the header, which no library has."""
        while self.peek() != "{":
            self.take()
        depth = 0
        while True:
            depth += {"{": 1, "}": -1}.get(self.take(), 0)
            if depth == 0:
                return

    def parse(self) -> None:
        while self.peek():
            if self.peek() == "typedef":
                self.type_definition()
            elif self.peek() == "enum":
                self.take()
                self.constants()
                self.take(";")
            elif self.peek() == "static":
                self.skip_function()
            else:
                base, stars = self.base_type(), self.stars()
                name = self.take()
                self.tree.functions[name] = (self.ctype(base, stars), self.arguments())
                self.take(";")


def includes(path: Path) -> list[Path]:
    names = re.findall(r"#include <gradflow/(\w+\.h)>", path.read_text(encoding="utf-8"))
    return [HEADERS / name for name in names]


def headers() -> list[Path]:
    """All of them, each after those that it includes."""
    found: list[Path] = []

    def visit(path: Path) -> None:
        if path in found:
            return
        for other in includes(path):
            visit(other)
        found.append(path)

    for path in sorted(HEADERS.glob("*.h")):
        visit(path)
    return found


def wrapped(prefix: str, items: list[str], opening: str, closing: str, indent: str) -> str:
    line = f"{indent}{prefix}{opening}{', '.join(items)}{closing}"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"{indent}    {item},\n" for item in items)
    return f"{indent}{prefix}{opening}\n{inner}{indent}{closing}"


def struct_text(name: str, fields: list[Field]) -> str:
    rows = [f'("{f.name}", {f.type})' for f in fields]
    return f"class {name}(Structure):\n" + wrapped("_fields_ = ", rows, "[", "]", "    ") + "\n"


def callback_text(name: str, function: str) -> str:
    items = re.split(r", (?![^(]*\))", function[len("CFUNCTYPE(") : -1])
    return wrapped(f"{name} = ", items, "CFUNCTYPE(", ")", "") + "\n"


def function_text(name: str, result: str, arguments: list[str]) -> str:
    line = f'    "{name}": ({result}, [{", ".join(arguments)}]),'
    if len(line) <= WIDTH:
        return line
    inner = wrapped("", arguments, "[", "]", "        ")
    return f'    "{name}": (\n        {result},\n{inner},\n    ),'


def bindings_of(tree: Tree) -> str:
    body, after = "", ""
    for name in tree.order:
        is_struct = name in tree.structs
        body += "\n\n" if is_struct or after != "callback" else ""
        if is_struct:
            body += struct_text(name, tree.structs[name])
        else:
            body += callback_text(name, tree.callbacks[name])
        after = "struct" if is_struct else "callback"
    functions = "\n".join(
        function_text(name, *tree.functions[name]) for name in sorted(tree.functions)
    )
    constants = "\n".join(f"{name} = {value}" for name, value in tree.constants.items())
    without_names = re.sub(r'"\w+"', "", body + functions)
    used = sorted(set(re.findall(r"\b(CFUNCTYPE|POINTER|c_\w+)\b", without_names)))
    imports = "".join(f"    {name},\n" for name in [*used[:2], "Structure", *used[2:]])
    return (
        '"""The structs, constants and functions of include/gradflow/*.h: written by generate.py.\n'
        "\n"
        "Nothing here is changed by hand. What is opaque is a void *, and so is a pointer to void.\n"
        '"""\n\nfrom __future__ import annotations\n\n'
        f"from ctypes import (\n{imports})\nfrom typing import Any\n\n{constants}\n{body}\n\n"
        "# Name: result, arguments.\n"
        f"FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {{\n{functions}\n}}\n"
    )


def layout_of(tree: Tree) -> str:
    rows = "".join(
        f"SIZE({name}),\n" + "".join(f"FIELD({name}, {f.name}),\n" for f in fields)
        for name, fields in tree.structs.items()
    )
    return "/* Written by bindings/python/generate.py; not changed by hand. */\n" + rows


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.exit((__doc__ or "").strip())
    tree = Tree()
    for path in headers():
        Parser(path, tree).parse()
    failed = 0
    for path, text in ((BINDINGS, bindings_of(tree)), (LAYOUT, layout_of(tree))):
        if not arguments:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            print(f"{path} is not what the headers say; run {Path(__file__)}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
