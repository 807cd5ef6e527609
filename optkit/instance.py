"""The base of every problem's instance: documents in and out, digest, evaluation."""

from __future__ import annotations

import hashlib
import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from optkit.errors import DecisionError, InstanceError
from optkit.evaluation import BatchEvaluation, Evaluation
from optkit.fields import jsonable
from optkit.files import read_document, write_document
from optkit.space import Game, Space

if TYPE_CHECKING:
    from optkit.environment import Environment


class Instance(ABC):
    """One instance of a problem: frozen, validated, its arrays read-only.

    A subclass validates a document in ``__init__(document)`` (raising `InstanceError`), sets
    `name` and `choices`, and implements `canonical`, `evaluate_batch`, `decision` and
    `from_decision`.

    Attributes
    ----------
    problem, sense, unit : the problem's name, "minimise" or "maximise", unit of the objective.
    parts : names of what a decision vector does not fix (start times, prices).
    name : free text.
    choices : [n] number of options of each position of a decision vector.
    origin : objective of doing nothing, where the specification names one, else 0.
    """

    problem: ClassVar[str]
    sense: ClassVar[str] = "minimise"
    unit: ClassVar[str] = ""
    parts: ClassVar[tuple[str, ...]] = ()

    name: str
    choices: NDArray[np.int64]

    @abstractmethod
    def __init__(self, document: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def canonical(self) -> dict[str, Any]:
        """The document with typed numbers and arrays, defaults left out."""

    @abstractmethod
    def evaluate_batch(self, decisions: NDArray[np.int64], **parts: Any) -> BatchEvaluation:
        """Judge decisions X [B, n] (see `check_decisions`); every part has a leading axis B."""

    @abstractmethod
    def decision(self, x: ArrayLike, **parts: Any) -> dict[str, NDArray[Any]]:
        """The readable full form of a decision, as named arrays."""

    @abstractmethod
    def from_decision(
        self, decision: Mapping[str, Any]
    ) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """The vector x and the parts of a readable decision (inverse of `decision`)."""

    @property
    def origin(self) -> float:
        """Objective of doing nothing, 0 where the problem names none."""
        return 0.0

    @property
    def space(self) -> Space:
        """What generic methods search; the decision vectors themselves by default."""
        return Space(self.choices)

    @property
    def game(self) -> Game | None:
        """The players behind the positions and what each wants, where its problem has them."""
        return None

    def environment(self) -> Environment[Any] | None:
        """The step-by-step view of this instance, where its problem has one."""
        return None

    def evaluate(self, x: ArrayLike, **parts: Any) -> Evaluation:
        """Judge one decision: row 0 of `evaluate_batch`."""
        batched = {name: np.asarray(part)[None] for name, part in parts.items()}
        return self.evaluate_batch(self.check_decision(x)[None], **batched)[0]

    def check_decision(self, x: ArrayLike) -> NDArray[np.int64]:
        """X as an int64 vector of full length within range.

        Raises
        ------
        DecisionError
            Wrong length, a fraction, or an option out of range; names the position.
        """
        try:
            values = np.asarray(x)
        except ValueError:
            raise DecisionError("the decision is not a flat list of integers") from None
        if values.ndim != 1 or len(values) != len(self.choices):
            found = "x".join(map(str, values.shape)) or "no"
            raise DecisionError(
                f"the decision has {found} entries, expected {len(self.choices)} integers"
            )
        if values.dtype.kind not in "iu":
            raise DecisionError(f"the decision holds {values.dtype} values, expected integers")
        bad = (values < 0) | (values >= self.choices)
        if bad.any():
            position = int(np.argmax(bad))
            raise DecisionError(
                f"x[{position}] is {int(values[position])}, expected an integer from 0 to "
                f"{int(self.choices[position]) - 1}"
            )
        return values.astype(np.int64)

    def check_decisions(self, decisions: ArrayLike) -> NDArray[np.int64]:
        """Decisions as an int64 array [B, n], which the compiled evaluators rely on.

        Raises
        ------
        DecisionError
            Another shape, fractions, or an option out of range; names the row and the position.
        """
        values = np.asarray(decisions)
        if values.ndim != 2 or values.shape[1] != len(self.choices):
            raise DecisionError(
                f"the decisions have shape {values.shape}, expected (B, {len(self.choices)})"
            )
        if values.dtype.kind not in "iu":
            raise DecisionError(f"the decisions hold {values.dtype} values, expected integers")
        values = np.ascontiguousarray(values, dtype=np.int64)
        # A negative number is a large one without a sign: one comparison finds both.
        bad = values.view(np.uint64) >= self.choices.astype(np.uint64)
        if bad.any():
            row = int(np.argmax(bad.any(axis=1)))
            try:
                self.check_decision(values[row])
            except DecisionError as error:
                raise DecisionError(f"row {row}: {error}") from None
        return values

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read an instance of this problem from a JSON file."""
        document = read_document(path)
        try:
            return cls(document)
        except InstanceError as error:
            raise InstanceError(error.message, error.field, os.fspath(path)) from None

    def to_dict(self) -> dict[str, Any]:
        """The document as plain Python values, ready for JSON."""
        result: dict[str, Any] = jsonable(self.canonical())
        return result

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a JSON file, atomically."""
        write_document(path, self.to_dict())

    def replace(self, **changes: Any) -> Self:
        """A validated copy with some top-level fields changed.

        A mapping given for a field that holds one is merged into it, so
        ``replace(options={"congestion": "ps"})`` keeps the other options. ``None`` removes a
        field (of a merged mapping too).
        """
        document = self.canonical()
        for name, value in changes.items():
            old = document.get(name)
            if isinstance(value, Mapping) and isinstance(old, Mapping):
                value = {k: v for k, v in {**old, **value}.items() if v is not None}
            document[name] = value
        return type(self)({name: v for name, v in document.items() if v is not None})

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical document: sorted keys, typed numbers, defaults left out."""
        cached = self.__dict__.get("_digest")
        if cached is None:
            hasher = hashlib.sha256()
            _feed(hasher, self.canonical())
            cached = self.__dict__["_digest"] = hasher.hexdigest()
        return str(cached)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        size = len(self.choices)
        return f"<{type(self).__name__} {self.name!r}: {size} positions, {self.digest[:12]}>"


def _feed(hasher: Any, value: Any) -> None:
    """Feed a value to a hash so that equal documents, and no others, feed equal bytes."""
    if isinstance(value, np.ndarray):
        kind = b"i" if value.dtype.kind in "iu" else b"f"
        number = np.ascontiguousarray(value, dtype="<i8" if kind == b"i" else "<f8")
        hasher.update(b"A" + kind + repr(value.shape).encode())
        hasher.update(number.data)
    elif isinstance(value, Mapping):
        hasher.update(b"D%d" % len(value))
        for key in sorted(value):
            _feed(hasher, key)
            _feed(hasher, value[key])
    elif isinstance(value, (list, tuple)):
        hasher.update(b"L%d" % len(value))
        for item in value:
            _feed(hasher, item)
    elif isinstance(value, float):
        hasher.update(b"F" + struct.pack("<d", value + 0.0))
    else:
        text = repr(value).encode()
        hasher.update(b"V%d:" % len(text) + text)
