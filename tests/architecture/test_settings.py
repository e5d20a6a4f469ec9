"""The environment is read in one place: what a part of Okno is to know of it stands in the settings it is given."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
READS_IT = {
    "shared/settings.py": "reads it, once for each process",
    "shared/apart.py": "hands it on to a child of ours",
    "services/ingest/apart.py": "hands it on to a child of ours",
    "services/serve.py": "asks whether uvicorn will read FORWARDED_ALLOW_IPS, a variable of its own",
    "services/inbox_api/ui/node.py": "hands it on to npm, when a wheel is made",
}


def asks_the_environment(file: Path) -> bool:
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name) if name in ENVIRONMENT:
                return True
    return False


def test_nothing_else_reads_the_environment() -> None:
    files = [file for folder in ("services", "shared") for file in (ROOT / folder).rglob("*.py")]
    ours = [file for file in files if "node_modules" not in file.parts]
    assert {file.relative_to(ROOT).as_posix() for file in ours if asks_the_environment(file)} == set(READS_IT)
