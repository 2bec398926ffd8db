"""What a phone shows: the copy of the widest feed, with the person's own mutations on top."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from sync.entries import Entry, Key
from sync.overlay import laid_over
from sync.phone import Phone
from sync.wire import Fields


@dataclass(frozen=True)
class Shown:
    """A record as its person sees it."""

    key: Key
    rev: int
    """Of the copy underneath; 0 where the server hasn't answered with one yet."""
    fields: Fields
    unsent: bool
    """Some of it is known to this phone alone."""
    feed: int = 0
    """Whose copy lies underneath; 0 for none."""


def find_shown(phone: Phone, key: Key) -> Shown | None:
    """The record as its person sees it; None where they see none, their own deletes included."""
    copy = phone.copies.find(key)
    fields, last, unsent = (copy.fields if copy else None), None, False
    for entry in phone.entries.over(key):
        last = fields or last
        fields = laid_over(_below(entry, fields, last), entry, key)
        unsent = unsent or entry.unsent
    if fields is None:
        return None
    return Shown(key, copy.rev, fields, unsent, copy.feed) if copy else Shown(key, 0, fields, unsent)


def _below(entry: Entry, fields: Fields | None, last: Fields | None) -> Fields | None:
    """What it lies on. An edit of what its person had deleted revives that, as it does on the server: such a delete was
    refused when they wrote on, and taken when the log was sent again after a restore.
    """
    return last if fields is None and entry.op == "update" and not entry.resolves else fields


def all_shown(phone: Phone, collection: str) -> Iterator[Shown]:
    """Every record of a collection, in key order, one in memory at a time; each as it is when given."""
    listed, written = phone.copies.listed_keys(collection), phone.entries.written_keys(collection)
    for _, keys in groupby(heapq.merge(listed, written, key=_path), key=_path):
        if shown := find_shown(phone, next(keys)):
            yield shown


def _path(key: Key) -> str:
    return key.path
