"""The tolerant reader of a push: what is wrong with one mutation never sinks the other ninety-nine.

The outer object is walked by hand, so that each mutation is parsed by itself and kept as the very
bytes that came. A flaw inside a mutation (NaN, NUL, half a character, a key twice…) marks that
mutation with a problem code; only what makes the whole body unreadable is an error of the request.
"""

import json
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from pydantic import BaseModel, JsonValue, ValidationError

from app.collections import COLLECTIONS
from app.problems import Problem
from sync.canonical import LARGEST_INTEGER, NotCanonical, canonical_json, require_canonical, spelled
from sync.wire import MOST_MUTATIONS, Mutation, Seen

LONGEST_COLLECTION = 64
"""Characters of a collection's name: it is kept in an index, which takes no long ones."""
_SPACE = re.compile(r"[ \t\n\r]*")
_NUL_OR_HALF = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_WORDS = {*Mutation.model_fields, *Seen.model_fields, "add", "remove", "increment", "value", "resolution"}.union(
    *(collection.fields for collection in COLLECTIONS.values())
)
"""Every key of a mutation that is about what this server knows. Any other is looked at more closely."""


@dataclass(frozen=True)
class Arrived:
    """One mutation as it came: parsed, or with the code of its flaw."""

    raw: bytes
    mutation: Mutation | None
    """Of a flawed one what could be read, without its fields: which record it was about."""
    sent_id: str | None
    """What was sent as its id, to answer with."""
    flaw: str | None = None
    errors: list[dict[str, JsonValue]] = field(default_factory=list)
    said: bytes | None = None
    """Of an ordinary request: its own content, where the mutation's depends on what the record held."""
    into: UUID | None = None
    """Of a merge, which no phone sends: the record that stays."""

    @cached_property
    def spelled_fields(self) -> bytes:
        """The fields as canonical JSON, where there is nothing wrong with them."""
        return spelled(self.mutation.fields) if self.mutation else b""

    def content(self) -> bytes:
        """What the keyed digest covers: the same bytes for the same content, however it was spelled."""
        if self.said is not None:
            return self.said
        if self.flaw or self.mutation is None:
            return self.raw
        m = self.mutation
        # Of these only a collection's name could hold a bar, so its length is told.
        head = f"{len(m.collection)}|{m.collection}|{m.op}|{m.base}|{m.record}|{m.home}|{m.after}|"
        return head.encode() + self.spelled_fields


def read_envelope(body: bytes) -> tuple[dict[str, Any], list[Arrived]]:
    """The outer object without its mutations, and the mutations of `mutations` or `push.mutations`.

    Raises bad_json and too_many_mutations.
    """
    reader = _Reader(body)
    try:
        envelope, end = reader.read_object(reader.skip(0))
        if reader.skip(end) != len(reader.text):
            raise ValueError
    except (ValueError, IndexError, RecursionError):
        raise Problem("bad_json") from None
    return envelope, reader.arrived


def read_value(body: bytes) -> JsonValue:
    """A body of one JSON value, without any tolerance. Raises bad_json, or the code of its flaw."""
    reader = _Reader(body)
    try:
        value, end = reader.decoder.raw_decode(reader.text, reader.skip(0))
        if reader.skip(end) != len(reader.text):
            raise ValueError
    except (ValueError, IndexError, RecursionError):
        raise Problem("bad_json") from None
    if reader.flaws:
        raise Problem(reader.flaws[0])
    found: JsonValue = value
    try:
        require_canonical(found)
    except NotCanonical as flaw:
        raise Problem(flaw.code) from None
    return found


Model = Any


def as_model(model: type[BaseModel], value: dict[str, Any]) -> Model:
    """The envelope as its class. Raises bad_request with JSON pointers."""
    try:
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise Problem("bad_request", errors=pointers_of(error)) from None


def pointers_of(error: ValidationError) -> list[dict[str, JsonValue]]:
    """Where a body is wrong, and in which way; never what it said."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [{"pointer": "".join(f"/{part}" for part in e["loc"]), "code": e["type"]} for e in found]


class _Reader:
    """Walks the outer object; `arrived` collects what it finds under `mutations`."""

    def __init__(self, body: bytes) -> None:
        self.text, self.plain_texts = _text_of(body)
        self.odd = False
        """Is there anything in this value that canonical JSON refuses, or spells another way?"""
        self.arrived: list[Arrived] = []
        self.flaws: list[str] = []
        self.decoder = self._decoder(strict=True)

    @cached_property
    def lenient(self) -> json.JSONDecoder:
        """Takes raw control characters in a text; made when there is one."""
        return self._decoder(strict=False)

    def _decoder(self, *, strict: bool) -> json.JSONDecoder:
        return json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_constant=self._constant,
            parse_float=self._float,
            parse_int=self._int,
            strict=strict,
        )

    def skip(self, at: int) -> int:
        """The next place that isn't white space."""
        match = _SPACE.match(self.text, at)
        return match.end() if match else at

    def read_object(self, at: int) -> tuple[dict[str, Any], int]:
        """The object at `at`, and where it ends. `push` is walked likewise."""
        found: dict[str, Any] = {}
        for place, end in self._members(at, "{", "}"):
            key, after = self._clean_value(place)
            if not isinstance(key, str) or key in found or self.text[self.skip(after)] != ":":
                raise ValueError
            start = self.skip(self.skip(after) + 1)
            if key == "mutations":
                found[key], stop = [], self._read_mutations(start)
            elif key == "push" and self.text[start] == "{":
                found[key], stop = self.read_object(start)
            else:
                found[key], stop = self._clean_value(start)
            end.append(stop)
        return found, self._end

    def _members(self, at: int, opening: str, closing: str) -> Any:
        """Gives (start, end) of each member; the caller puts where it stopped into the list `end`."""
        if self.text[at] != opening:
            raise ValueError
        at = self.skip(at + 1)
        while self.text[at] != closing:
            end: list[int] = []
            yield at, end
            at = self.skip(end[0])
            if self.text[at] == ",":
                at = self.skip(at + 1)
                if self.text[at] == closing:
                    raise ValueError
            elif self.text[at] != closing:
                raise ValueError
        self._end = at + 1

    def _clean_value(self, at: int) -> tuple[Any, int]:
        self.flaws.clear()
        value, end = self.decoder.raw_decode(self.text, at)
        if self.flaws:
            raise ValueError
        return value, end

    def _read_mutations(self, at: int) -> int:
        for start, end in self._members(at, "[", "]"):
            if len(self.arrived) == MOST_MUTATIONS:
                raise Problem("too_many_mutations", most_mutations=MOST_MUTATIONS)
            value, stop = self._flawed_value(start)
            raw = self.text[start:stop].encode("utf-8", "surrogateescape")
            plain = self.plain_texts and not self.odd
            self.arrived.append((_plainly_arrived(raw, value) if plain else None) or _arrived(raw, value, self.flaws))
            end.append(stop)
        return self._end

    def _flawed_value(self, at: int) -> tuple[Any, int]:
        """A value with its flaws noted. A raw control character in a text is a flaw of this value alone."""
        self.flaws.clear()
        self.odd = False
        try:
            return self.decoder.raw_decode(self.text, at)
        except json.JSONDecodeError:
            self.flaws.clear()
            value, end = self.lenient.raw_decode(self.text, at)
            self.odd = True
            self.flaws.append("nul_in_text" if "\0" in self.text[at:end] else "mutation_invalid")
            return value, end

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            self.odd = True
            self.flaws.append("duplicate_key")
        if not found.keys() <= _WORDS:
            self.odd = True
        return found

    def _constant(self, name: str) -> None:
        self.odd = True
        self.flaws.append("number_not_finite")

    def _float(self, text: str) -> int | float | None:
        self.odd = True
        number = float(text)
        if not math.isfinite(number):
            self.flaws.append("number_not_finite")
            return None
        return int(number) if number.is_integer() and abs(number) <= LARGEST_INTEGER else number

    def _int(self, text: str) -> int | None:
        # 2⁵³-1 has 16 digits: with 16 characters it may be too large, with more than those and a sign it is.
        if len(text) > 15:
            self.odd = True
        if len(text) > 17:
            self.flaws.append("integer_too_large")
            return None
        return int(text)


def _text_of(body: bytes) -> tuple[str, bool]:
    """The body as text, and whether no text in it can hold a NUL or half a character."""
    try:
        return body.decode(), not _NUL_OR_HALF.search(body)
    except UnicodeDecodeError:
        return body.decode("utf-8", "surrogateescape"), False


def _plainly_arrived(raw: bytes, value: Any) -> Arrived | None:
    """What nearly every mutation is: its bytes say nothing that canonical JSON couldn't. None: look closer."""
    try:
        mutation = Mutation.model_validate_json(raw, strict=True)
    except ValidationError:
        return None
    return Arrived(raw, mutation, value["id"]) if mutation.collection in COLLECTIONS else None


def _arrived(raw: bytes, value: Any, flaws: list[str]) -> Arrived:
    sent = value.get("id") if isinstance(value, dict) else None
    sent_id = sent if isinstance(sent, str) and len(sent) <= 64 and sent.isascii() and sent.isprintable() else None
    if flaws:
        return Arrived(raw, _about(value), sent_id, flaws[0])
    try:
        mutation = _mutation(value)
    except NotCanonical as problem:
        return Arrived(raw, _about(value), sent_id, problem.code)
    except ValidationError as error:
        errors = pointers_of(error)
        code = "id_invalid" if any(e["pointer"] in ("/id", "/record") for e in errors) else "mutation_invalid"
        return Arrived(raw, _about(value), sent_id, code, errors)
    return Arrived(raw, mutation, sent_id)


def _about(value: Any) -> Mutation | None:
    """A flawed mutation without its fields: what depends on a create must learn that it was refused."""
    if not isinstance(value, dict):
        return None
    try:
        return _mutation({name: part for name, part in value.items() if name not in ("fields", "seen")})
    except (NotCanonical, ValidationError):
        return None


def _mutation(value: Any) -> Mutation:
    """Raises NotCanonical with the code of its flaw, or ValidationError."""
    mutation = Mutation.model_validate_json(canonical_json(value), strict=True)
    if len(mutation.collection) > LONGEST_COLLECTION:
        raise NotCanonical("unknown_collection")
    return mutation
