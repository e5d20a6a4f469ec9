"""aiogram costs 55 MB and a second, 165 MB and six with its models: a server loads what its bots need and no more."""

import subprocess
import sys

from pydantic import BaseModel

from shared.channels.telegram.lean import models_unbuilt

LIGHT = ("config", "parse", "receive", "build", "fetch", "setup")


def test_only_who_calls_telegram_loads_aiogram() -> None:
    imports = "; ".join(f"import shared.channels.telegram.{name}" for name in LIGHT)
    code = f"import sys; {imports}; print('aiogram' in sys.modules, 'pydantic' in sys.modules)"
    assert said(code) == ["False", "False"]


def test_who_calls_telegram_loads_it_without_building_its_models() -> None:
    built = "import shared.channels.telegram.api; from aiogram.types import Message, Update, User"
    print_them = "print(*(model.__pydantic_complete__ for model in (Message, Update, User)))"
    assert said(f"{built}; {print_them}") == ["False", "False", "False"]


def test_the_models_of_others_are_built_as_ever() -> None:
    class Others(BaseModel):
        later: "Later"

    class Later(BaseModel):
        number: int

    before = BaseModel.__dict__["model_rebuild"]
    with models_unbuilt():
        assert Others.model_rebuild(_types_namespace={"Later": Later}) is True
    assert BaseModel.__dict__["model_rebuild"] is before
    assert Others(later=Later(number=1)).later.number == 1


def said(code: str) -> list[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
