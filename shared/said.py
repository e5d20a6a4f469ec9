"""PURE: what an error says where people read it. Some have no words, `TimeoutError` mostly: then what it is."""

from __future__ import annotations


def said(error: BaseException) -> str:
    """Return the words of an error, never none."""
    return str(error).strip() or type(error).__name__


def said_with_kind(error: BaseException) -> str:
    """Return what an error is, and its words where it has some."""
    return f"{type(error).__name__}: {str(error).strip()}".removesuffix(": ")
