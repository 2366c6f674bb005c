"""The `gguf` package's reader, held to the size of the file and without its slow places."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFEndian, GGUFReader, GGUFValueType

from ...errors import UserError
from ...text import one_line
from ..files import refuse_pointer

_LENGTH = 8
"""Bytes of the number that stands before a string, or before an array's values."""


class BoundedReader(GGUFReader):
    """Reads nothing beyond the end of the file, and says in which tensor a file is cut short.

    The package takes what a file says of itself for granted: 46 bytes that claim an array of 2^62
    numbers keep it busy for ever. It also makes two arrays of each string, which costs seconds
    where a vocabulary has a hundred thousand.
    """

    def _get(self, offset: int, dtype: Any, count: Any = 1, override_order: Any = None) -> Any:
        end = int(offset) + np.dtype(dtype).itemsize * int(count)
        if end > len(self.data):
            raise ValueError(f"{end} bytes are needed, but it ends after {len(self.data)}")
        return super()._get(offset, dtype, count, override_order)

    def _get_field_parts(
        self, orig_offs: int, raw_type: Any
    ) -> tuple[int, list[Any], list[int], list[GGUFValueType]]:
        if raw_type != GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        item = self._get(orig_offs, np.uint32)
        length = self._get(orig_offs + item.nbytes, np.uint64)
        begin = orig_offs + item.nbytes + length.nbytes
        kind, count = GGUFValueType(int(item[0])), int(length[0])
        if kind == GGUFValueType.STRING:
            end, values = self._strings(begin, count)
        elif kind in self.gguf_scalar_to_np:
            values = [self._get(begin, self.gguf_scalar_to_np[kind], count)]
            end = begin + values[0].nbytes
        else:
            raise ValueError("arrays of arrays are not read")
        parts = [item, length, *values]
        return end - orig_offs, parts, list(range(2, len(parts))), [GGUFValueType.ARRAY, kind]

    def _strings(self, begin: int, count: int) -> tuple[int, list[memoryview]]:
        """So many strings from here on, and where they end."""
        content, strings = self.data.data, []
        order = ">Q" if self.endianess == GGUFEndian.BIG else "<Q"
        if count * _LENGTH > len(content) - begin:
            raise ValueError(f"an array of {count} strings is longer than the file")
        for _ in range(count):
            (length,) = struct.unpack_from(order, content, begin)
            end = begin + _LENGTH + length
            if end > len(content):
                raise ValueError(f"{end} bytes are needed, but it ends after {len(content)}")
            strings.append(content[begin + _LENGTH : end])
            begin = end
        return begin, strings

    def _build_tensors(self, start_offs: int, fields: list[Any]) -> None:
        try:
            super()._build_tensors(start_offs, fields)
        except ValueError as error:
            raise ValueError(self._cut(start_offs, fields) or error) from None

    def _cut(self, start_offs: int, fields: list[Any]) -> str:
        """The first tensor that is not there whole."""
        for field in fields:
            try:
                super()._build_tensors(start_offs, [field])
            except ValueError:
                _, name, _, shape, _, _ = field.parts
                whole = tuple(int(size) for size in reversed(shape))
                return f"it is cut short in tensor '{bytes(name).decode()}' of shape {whole}"
        return ""


def open_reader(path: Path) -> GGUFReader:
    """The file, mapped into memory.

    Raises:
        UserError: It is damaged, or no GGUF file.
    """
    refuse_pointer(path)
    try:
        return BoundedReader(path)
    except (ValueError, LookupError, ArithmeticError, OSError, struct.error) as error:
        raise UserError(f"{path} is not a readable GGUF file: {one_line(str(error))}") from None


class Metadata(Mapping[str, Any]):
    """A file's key-value pairs as plain Python values, each made when it is first asked for."""

    def __init__(self, path: Path, reader: GGUFReader) -> None:
        """The pairs of an open file."""
        self._path, self._fields = path, reader.fields
        self._values: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        """One value.

        Raises:
            UserError: It is damaged.
        """
        if key not in self._values:
            field = self._fields[key]
            try:
                self._values[key] = field.contents()
            except (ValueError, LookupError) as error:
                raise UserError(f"{self._path}: the value of '{key}' is damaged: {error}") from None
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        """The keys, in the file's order."""
        return iter(self._fields)

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self._fields)
