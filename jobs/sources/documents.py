"""Cuts a JSON document into its elements; a broken one costs itself, and reading goes on at the next that is whole."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING

from jobs.sources.chunks import Truncated, chunks
from jobs.sources.records import HEAD, Record, damaged, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.chunks import Opened
    from jobs.sources.source import Form

WHOLE = 512 << 20  # bytes of a document that is read at once
DEEP = 500  # brackets that surely stand open where Python gives up on the nesting (its limit is 1,000 calls)
DECODER = json.JSONDecoder()
OPENING = re.compile(r"[{\[]")
BLANK = " \t\r\n,"


class Text(str):
    """A text whose lines nobody counts: a failed reading would count all of them up to its place, over and over."""

    __slots__ = ()

    def count(self, *_: object) -> int:
        """Return nothing of worth."""
        return 0

    def rfind(self, *_: object) -> int:
        """Return nothing of worth."""
        return 0


def elements(file: Opened, form: Form) -> Iterator[Record]:
    """Yield the elements of an array, of the array under `form.inside`, or of objects one after another; each keeps its own text."""
    text, cut = _whole(file)
    if cut == "oversized_document":
        yield damaged(0, _raw(text), cut)
        return
    start, closes = _start(text, form.inside)
    position, at, told = 0, _skip(text, start), False
    while at < len(text):
        whole, end = _element(text, at, form)
        if whole:
            yield judged(position, _raw(text[at:end]))
        else:
            end = _resume(text, end, form)
            if closes and text[at] == "]" and end == len(text):
                break
            told = end == len(text)
            yield damaged(position, _raw(text[at : at + HEAD]), cut if cut and told else "broken_json")
        position, at = position + 1, _skip(text, end)
    if not told and (cut or (closes and at >= len(text))):
        yield position, "", cut or "truncated_file"
    elif closes == "all" and text[at + 1 :].strip():
        yield damaged(position, _raw(text[at : at + HEAD]), "broken_json")


def _whole(file: Opened) -> tuple[Text, str]:
    """Return a document's text, or the beginning of one that is too long, and the damage to its file, if any."""
    # Bytes that are no UTF-8 travel as surrogates, so that each element can be told by its own bytes.
    parts, size, damage = [], 0, ""
    try:
        for chunk in chunks(file):
            parts.append(chunk)
            size += len(chunk)
            if size > WHOLE:
                return Text(parts[0][:HEAD].decode("utf-8", "surrogateescape")), "oversized_document"
    except Truncated as cut:
        damage = cut.damage
    return Text(b"".join(parts).decode("utf-8", "surrogateescape")), damage


def _start(text: str, inside: str) -> tuple[int, str]:
    """Return where the elements begin, and what their closing bracket closes: all, a part, or nothing if there is none."""
    at = _skip(text, 0)
    if text[at : at + 1] == "[":
        return at + 1, "all"
    array = text.find("[", text.find(f'"{inside}"', at)) if inside and f'"{inside}"' in text else -1
    if array >= 0:
        return array + 1, "part"
    # Whatever else stands there is told as the first element, and reading goes on behind it.
    return at, "all" if text[at : at + 1] not in ("{", "]") and text.rstrip().endswith("]") else ""


def _element(text: str, at: int, form: Form) -> tuple[bool, int]:
    """Say whether a whole object begins here, and where it ends; where none does, from where on to look for the next."""
    try:
        if text[at] == "{":
            end = DECODER.raw_decode(text, at)[1]
            # A document within the document is no element, its elements are.
            return (True, end) if not form.inside or text.find(f'"{form.inside}"', at, end) < 0 else (False, at + 1)
    except RecursionError:
        # What lies deep within is part of it; to try every level anew would take the depth squared.
        deep = next(islice(OPENING.finditer(text, at), DEEP, None), None)
        return False, deep.start() if deep else at + 1
    except ValueError:
        pass
    return False, at + 1


def _resume(text: str, at: int, form: Form) -> int:
    """Return where the next whole element begins, known by the form's marks, or the end of the text."""
    while (at := text.find("{", at)) >= 0:
        whole, end = _element(text, at, form)
        if whole and all(text.find(mark, at, end) >= 0 for mark in form.marks):
            return at
        at = at + 1 if whole else end
    return len(text)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
