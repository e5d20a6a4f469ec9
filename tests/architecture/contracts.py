"""The import contract that import-linter lacks: some modules may import what is listed, and nothing else.

A list of what is forbidden has a hole wherever nobody thought of a library; this one is closed. It is no test:
pyproject.toml names it, and `lint-imports` runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

PURE = [
    "__future__", "abc", "array", "base64", "binascii", "bisect", "codecs", "collections", "contextlib", "copy",
    "csv", "dataclasses", "datetime", "decimal", "difflib", "email", "enum", "fractions", "functools", "graphlib",
    "hashlib", "heapq", "hmac", "html", "ipaddress", "itertools", "json", "keyword", "math", "numbers", "operator",
    "posixpath", "quopri", "re", "statistics", "string", "struct", "textwrap", "types", "typing", "unicodedata",
    "urllib.parse", "uuid", "xml.sax.saxutils", "zlib", "zoneinfo",
]  # fmt: skip
"""What of the standard library neither reads nor writes anything outside, waits, asks the time, or is random; zoneinfo
reads what is the same everywhere. Of a package that does more (urllib, xml) only the part that is named."""


@dataclass(frozen=True, slots=True)
class Import:
    """One line that imports something."""

    importer: str
    imported: str
    line: int

    def __str__(self) -> str:
        return f"{self.importer} -> {self.imported} (l.{self.line})"


class OnlyContract(Contract):
    """`source_modules` import of the standard library what is PURE, each other, and the `allowed_modules`.

    `followed_modules` may be imported too: whichever of them are, directly or not, are held to the same.
    """

    type_name = "only"
    source_modules = fields.ListField(subfield=fields.ModuleExpressionField())
    allowed_modules = fields.ListField(subfield=fields.StringField(), required=False, default=())
    followed_modules = fields.ListField(subfield=fields.ModuleExpressionField(), required=False, default=())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        sources, followed = expand(graph, self.source_modules), expand(graph, self.followed_modules)
        allowed = {*PURE, *cast(Iterable[str], self.allowed_modules)}
        held = reached(graph, sources, followed)
        leading_out = (line for module in held for line in _lines_out(graph, module, held))
        illegal = [each for each in leading_out if not _is_within(each.imported, allowed)]
        return ContractCheck(kept=not illegal, metadata={"illegal": illegal})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for each in sorted(check.metadata["illegal"], key=str):
            output.print_error(f"- {each}", bold=False)
        output.new_line()


def expand(graph: ImportGraph, expressions: Any) -> set[str]:
    """Return the modules that expressions name, and all below them."""
    return {module.name for module in module_expressions_to_modules(graph, expressions, as_packages=True)}


def reached(graph: ImportGraph, sources: set[str], followed: set[str]) -> set[str]:
    """Return `sources` and which of `followed` they import, directly or through each other."""
    found, waiting = set(sources), list(sources)
    while waiting:
        more = graph.find_modules_directly_imported_by(waiting.pop()) & followed - found
        found |= more
        waiting.extend(more)
    return found


def _lines_out(graph: ImportGraph, importer: str, held: set[str]) -> Iterator[Import]:
    """Give what a module imports of others; of what is not ours the graph knows the first name only, the line all."""
    for imported in graph.find_modules_directly_imported_by(importer) - held:
        for detail in graph.get_import_details(importer=importer, imported=imported):
            names = re.findall(rf"\b{re.escape(imported)}(?:\.\w+)*", detail["line_contents"])
            whole = set(names) if names and graph.is_module_squashed(imported) else {imported}
            yield from (Import(importer, name, detail["line_number"]) for name in whole)


def _is_within(module: str, allowed: set[str]) -> bool:
    """Return whether it, or a package that it is in, is allowed."""
    parts = module.split(".")
    return any(".".join(parts[: end + 1]) in allowed for end in range(len(parts)))
