"""aiogram costs 165 MB and two seconds: a server without a bot must not load it."""

import subprocess
import sys

LIGHT = ("config", "parse", "receive", "build", "fetch", "setup")


def test_only_who_calls_telegram_loads_aiogram() -> None:
    imports = "; ".join(f"import shared.channels.telegram.{name}" for name in LIGHT)
    code = f"import sys; {imports}; print('aiogram' in sys.modules, 'pydantic' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
