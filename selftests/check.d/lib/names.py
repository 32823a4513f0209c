#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Compiles Python files, and says which names they use and never make, import and never use, or define twice.

usage: names.py FILE...

Scopes are taken as one: a name counts as made when any scope of the file makes it. That misses some faults and
reports none that is not there, apart from `from x import *`, which it refuses.
"""

import ast
import builtins
import sys

GIVEN = set(dir(builtins)) | {"__file__", "__name__", "__doc__", "__path__", "__package__"}


class Names(ast.NodeVisitor):
    """The names of one file: made, used, imported, and definitions that hide one before them."""

    def __init__(self):
        self.made, self.used, self.imported, self.problems = set(), {}, {}, []

    def visit_Import(self, node):
        """`import a.b as c`."""
        for name in node.names:
            if name.name == "*":
                self.problems.append((node.lineno, "from .. import *"))
            bound = (name.asname or name.name).split(".")[0]
            self.made.add(bound)
            # "import a as a" says that it is for others.
            if name.asname != name.name and getattr(node, "module", "") != "__future__":
                self.imported.setdefault(bound, node.lineno)

    visit_ImportFrom = visit_Import

    def visit_Name(self, node):
        """A name that is read, or made."""
        if isinstance(node.ctx, ast.Load):
            self.used.setdefault(node.id, node.lineno)
        else:
            self.made.add(node.id)

    def visit_definition(self, node):
        """A function or a class; its body may hold a name twice only behind a decorator or a condition."""
        self.made.add(node.name)
        self.generic_visit(node)
        self.visit_body(node.body)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_definition

    def visit_body(self, body):
        """Definitions side by side."""
        seen = {}
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                if node.name in seen and not node.decorator_list:
                    self.problems.append((node.lineno, f"{node.name} is defined in line {seen[node.name]} already"))
                seen[node.name] = node.lineno

    def visit_Module(self, node):
        """The file."""
        self.generic_visit(node)
        self.visit_body(node.body)

    def visit_arg(self, node):
        """An argument."""
        self.made.add(node.arg)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node):
        """`except A as b`."""
        self.made.add(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node):
        """A capture of a pattern; MatchStar and MatchMapping have the same field or a like one."""
        self.made.add(getattr(node, "name", None) or getattr(node, "rest", None))
        self.generic_visit(node)

    visit_MatchStar = visit_MatchMapping = visit_MatchAs

    def visit_Global(self, node):
        """`global a`, `nonlocal a`."""
        self.made.update(node.names)

    visit_Nonlocal = visit_Global


def check(path):
    """The problems of a file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        module = ast.parse(text, path)
        compile(module, path, "exec")
    except SyntaxError as error:
        return [f"{path}:{error.lineno}: {error.msg}"]
    names = Names()
    names.visit(module)
    exported = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    found = list(names.problems)
    found += [(line, f"{name} is used and never made") for name, line in names.used.items()
              if name not in names.made and name not in GIVEN]
    # A package's front page imports for others; so does what __all__ names.
    if not path.endswith("__init__.py"):
        found += [(line, f"{name} is imported and never used") for name, line in names.imported.items()
                  if name not in names.used and not ("__all__" in names.made and name in exported)]
    return [f"{path}:{line}: {what}" for line, what in sorted(found)]


def main():
    """Every file; 1 when there are problems."""
    problems = [problem for path in sys.argv[1:] for problem in check(path)]
    print("\n".join(problems))
    sys.exit(bool(problems) or len(sys.argv) < 2)


main()
