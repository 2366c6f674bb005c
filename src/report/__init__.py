"""What people see: a live view, the final table, a page, Markdown, CSV and JSON. Trains nothing."""

from __future__ import annotations

from .files import write

__all__ = ["write"]
