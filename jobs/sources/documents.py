"""Cuts a JSON document into its elements; a broken one costs itself, and reading goes on at the next that is whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from jobs.sources.chunks import Truncated, chunks
from jobs.sources.records import HEAD, Record, damaged, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.source import Form

WHOLE = 512 << 20  # bytes of a document that is read at once
DECODER = json.JSONDecoder()
BLANK = " \t\r\n,"


def elements(path: str, form: Form) -> Iterator[Record]:
    """Yield the elements of an array, of the array under `form.inside`, or of objects one after another; each keeps its own text."""
    raw, cut = _whole(path)
    # Bytes that are no UTF-8 travel as surrogates, so that each element can be told by its own bytes.
    text = raw.decode("utf-8", "surrogateescape")
    start, closes = _start(text, form.inside)
    if len(raw) > WHOLE or start < 0:
        yield damaged(0, raw, "oversized_document" if len(raw) > WHOLE else "truncated_file" if cut else "broken_json")
        return
    position, at, told = 0, _skip(text, start), False
    while at < len(text) and not (closes and text[at] == "]"):
        end = _end(text, at)
        if end < 0:
            end = _resume(text, at + 1, form.marks)
            told = end == len(text)
            yield damaged(position, _raw(text[at : at + HEAD]), "truncated_file" if cut and told else "broken_json")
        else:
            yield judged(position, _raw(text[at:end]))
        position, at = position + 1, _skip(text, end)
    if not told and (cut or (closes and at >= len(text))):
        yield position, "", "truncated_file"
    elif closes == "all" and text[at + 1 :].strip():
        yield damaged(position, _raw(text[at : at + HEAD]), "broken_json")


def _whole(path: str) -> tuple[bytes, bool]:
    """Return a document's bytes, a little over `WHOLE` at most, and whether the file was cut."""
    parts, size = [], 0
    try:
        for chunk in chunks(path):
            parts.append(chunk)
            size += len(chunk)
            if size > WHOLE:
                break
    except Truncated:
        return b"".join(parts), True
    return b"".join(parts), False


def _start(text: str, inside: str) -> tuple[int, str]:
    """Return where the elements begin (-1: nowhere), and what their closing bracket closes: all, a part, or nothing if there is none."""
    at = _skip(text, 0)
    if text[at : at + 1] == "[":
        return at + 1, "all"
    key = text.find(f'"{inside}"', at) if inside else -1
    if key >= 0:
        array = text.find("[", key)
        return array + 1 if array >= 0 else -1, "part"
    return at if text[at : at + 1] == "{" else -1, ""


def _end(text: str, at: int) -> int:
    """Return where the object that begins here ends, or -1 if it is broken, or no object."""
    try:
        return -1 if text[at] != "{" else DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return -1


def _resume(text: str, at: int, marks: tuple[str, ...]) -> int:
    """Return where the next whole element begins, known by the form's marks, or the end of the text."""
    while (at := text.find("{", at)) >= 0:
        end = _end(text, at)
        if end >= 0 and all(text.find(mark, at, end) >= 0 for mark in marks):
            return at
        at += 1
    return len(text)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
