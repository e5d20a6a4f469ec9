"""`dataclass` for the values made of every message: frozen for the type checker, plain slots for the interpreter.

A frozen dataclass sets each field through `object.__setattr__`, which takes ten times as long as an assignment and was
a quarter of all processor time of the intake. `mypy --strict` refuses to assign to a field; at run time nothing does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    import dataclasses

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Any:
        """As `dataclasses.dataclass`; what is frozen compares and hashes by its fields."""
        return dataclasses.dataclass(slots=slots, eq=eq, unsafe_hash=frozen and eq)
