"""Settings on their way from what was typed to an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .yaml_file import Document

KeyPath = tuple[str, ...]


@dataclass
class Draft:
    """Settings on their way, each with the place where the user wrote it."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, str] = field(default_factory=dict)
    document: Document | None = None

    def put(self, path: KeyPath, value: Any, place: str) -> None:
        """Set one value; mappings above it are made."""
        level = self.values
        for part in path[:-1]:
            below = level.get(part)
            level[part] = dict(below) if isinstance(below, dict) else {}
            level = level[part]
        level[path[-1]] = value
        self.places[path] = place

    def place(self, path: KeyPath) -> str:
        """A setting as the user wrote it: its flag, else its line, else its name."""
        for n in range(len(path), 0, -1):
            if path[:n] in self.places:
                return self.places[path[:n]]
        return self.document.place(path) if self.document else ".".join(path)
