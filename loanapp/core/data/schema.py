"""The contract: which columns a client file has, what they mean and what they allow.

A contract is a `Table Schema <https://specs.frictionlessdata.io/table-schema/>`_ document with
properties of ours: ``role``, ``unit``, ``labels``, ``descriptions``, ``enumLabels``, ``typical``
(the usual range: samples and sliders are drawn from it) and, on the target, ``cut``.
Reading one imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from loanapp.core.errors import InvalidSchema, message

if TYPE_CHECKING:
    from loanapp.core.settings import FeaturePolicy

Role = Literal["feature", "protected", "identifier", "target"]
Cut = Literal["auto"] | tuple[float | None, float | None] | None

ROLES = ("feature", "protected", "identifier", "target")
NUMERIC_TYPES = ("integer", "number")
TYPES = (*NUMERIC_TYPES, "string", "boolean")
BOOLEAN_ENUM = ("true", "false")


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the contract.

    Parameters
    ----------
    name
        Name of the column in a client file.
    type
        ``integer``, ``number``, ``string`` or ``boolean`` (a category of ``true``, ``false``).
    role
        ``feature``; ``protected`` (a feature that the law restricts in credit decisions);
        ``identifier`` (never a feature, never logged); ``target``.
    unit
        Unit of a numeric column, as a reader writes it.
    labels, descriptions
        Texts by language.
    required
        Whether an empty cell is a problem.
    minimum, maximum
        Inclusive range of a numeric column; None: open.
    enum
        The categories allowed, in order; empty: any text.
    enum_labels
        Texts of the categories, by category and language.
    typical
        The usual range of a numeric column.
    example
        A valid value.
    """

    name: str
    type: str
    role: Role
    unit: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[str, ...] = ()
    enum_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    typical: tuple[float, float] | None = None
    example: object = None

    @property
    def is_numeric(self) -> bool:
        """Whether the column holds numbers."""
        return self.type in NUMERIC_TYPES

    def label(self, language: str) -> str:
        """Name of the column for a reader."""
        return self.labels.get(language) or next(iter(self.labels.values()), self.name)

    def describe(self, language: str) -> str:
        """What the column means, in one sentence; empty where the contract does not say."""
        return self.descriptions.get(language) or next(iter(self.descriptions.values()), "")

    def category_label(self, category: str, language: str) -> str:
        """Name of a category for a reader."""
        return self.enum_labels.get(category, {}).get(language, category)

    @property
    def usual_range(self) -> tuple[float, float]:
        """The range that forms and samples use for a numeric column."""
        if self.typical:
            return self.typical
        low = self.minimum if self.minimum is not None else min(0.0, self.maximum or 0.0)
        high = self.maximum if self.maximum is not None else low + 100.0
        return low, high


@dataclass(frozen=True, eq=False)
class Schema:
    """A contract: the columns of a client file, and where its amounts are cut off.

    Parameters
    ----------
    fields
        The columns, in the order in which forms and samples show them.
    cut
        ``auto``, or (floor, ceiling) in the target's unit, or None: never cut.
    missing_values
        The texts that mean an empty cell.
    document
        The JSON document itself.
    """

    fields: tuple[Field, ...]
    cut: Cut
    missing_values: tuple[str, ...]
    document: Mapping[str, Any]

    @cached_property
    def target(self) -> Field:
        """The column to predict."""
        return next(f for f in self.fields if f.role == "target")

    def features(self, policy: FeaturePolicy = "all") -> tuple[Field, ...]:
        """Columns that feed the model; ``lawful`` leaves the protected ones out."""
        roles = ("feature",) if policy == "lawful" else ("feature", "protected")
        return tuple(f for f in self.fields if f.role in roles)

    @cached_property
    def protected(self) -> tuple[Field, ...]:
        """Columns that the law restricts."""
        return tuple(f for f in self.fields if f.role == "protected")

    @cached_property
    def identifiers(self) -> tuple[Field, ...]:
        """Columns that name a person."""
        return tuple(f for f in self.fields if f.role == "identifier")

    @cached_property
    def by_name(self) -> Mapping[str, Field]:
        """The columns by name."""
        return {f.name: f for f in self.fields}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the document: two contracts are the same if it is."""
        canonical = json.dumps(self.document, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def load_schema(path: Path | None = None) -> Schema:
    """Read a contract; the built-in one without a path.

    Raises
    ------
    InvalidSchema
        The file cannot be read, or is not a contract; says where.
    """
    try:
        if path is None:
            text = files(__package__).joinpath("contracts/loan.json").read_text("utf-8")
        else:
            text = path.read_text("utf-8")
        document = json.loads(text)
    except (OSError, ValueError) as error:
        raise InvalidSchema(
            message("The contract {path} cannot be read: {reason}", path=path, reason=error)
        ) from error
    return parse_schema(document)


def parse_schema(document: Mapping[str, Any]) -> Schema:
    """Make a contract of a Table Schema document.

    Raises
    ------
    InvalidSchema
        A property is missing or has a value that cannot be used.
    """
    raw = document.get("fields") if isinstance(document, Mapping) else None
    if not isinstance(raw, list) or not raw:
        raise InvalidSchema(message("The contract has no list of “fields”."))
    fields = tuple(_parse_field(item) for item in raw)
    names = [f.name for f in fields]
    if len(set(names)) != len(names):
        raise InvalidSchema(message("Two fields of the contract have the same name."))
    targets = [item for item in raw if item.get("role") == "target"]
    if len(targets) != 1:
        raise InvalidSchema(message("The contract must have exactly one field with role “target”."))
    target = fields[raw.index(targets[0])]
    if not target.is_numeric:
        raise InvalidSchema(message("The target {name} must be a number.", name=target.name))
    schema = Schema(
        fields, _parse_cut(targets[0]), tuple(document.get("missingValues", [""])), document
    )
    if not schema.features("lawful"):
        raise InvalidSchema(message("The contract has no field with role “feature”."))
    return schema


def _parse_field(item: Mapping[str, Any]) -> Field:
    name, type_ = item.get("name"), item.get("type", "string")
    role = item.get("role", "feature")
    if not isinstance(name, str) or not name.strip():
        raise InvalidSchema(message("A field of the contract has no name."))
    if type_ not in TYPES:
        raise InvalidSchema(
            message("Field {name}: type {type} is not one of {types}.",
                    name=name, type=type_, types=", ".join(TYPES))
        )  # fmt: skip
    if role not in ROLES:
        raise InvalidSchema(
            message("Field {name}: role {role} is not one of {roles}.",
                    name=name, role=role, roles=", ".join(ROLES))
        )  # fmt: skip
    constraints = item.get("constraints", {})
    enum = BOOLEAN_ENUM if type_ == "boolean" else tuple(map(str, constraints.get("enum", ())))
    return Field(
        name=name,
        type=type_,
        role=role,
        unit=item.get("unit"),
        labels=item.get("labels") or {"": item.get("title", name)},
        descriptions=item.get("descriptions") or {"": item.get("description", "")},
        required=bool(constraints.get("required", role == "target")),
        minimum=_number(name, "minimum", constraints.get("minimum")),
        maximum=_number(name, "maximum", constraints.get("maximum")),
        enum=enum if type_ not in NUMERIC_TYPES else (),
        enum_labels=item.get("enumLabels", {}),
        typical=_parse_range(name, item.get("typical")),
        example=item.get("example"),
    )


def _parse_range(name: str, value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = (_number(name, "typical", v) for v in value)
    if low is None or high is None or not low < high:
        raise InvalidSchema(message("Field {name}: “typical” must be [low, high].", name=name))
    return low, high


def _parse_cut(item: Mapping[str, Any]) -> Cut:
    cut, name = item.get("cut", "auto"), item["name"]
    if cut is None:
        return None
    if cut == "auto":
        return "auto"
    if not isinstance(cut, Mapping):
        raise InvalidSchema(
            message(
                "Field {name}: “cut” must be “auto”, null, or a floor and a ceiling.", name=name
            )
        )
    floor = _number(name, "floor", cut.get("floor"))
    ceiling = _number(name, "ceiling", cut.get("ceiling"))
    if floor is not None and ceiling is not None and not floor < ceiling:
        raise InvalidSchema(message("Field {name}: the floor is not below the ceiling.", name=name))
    return floor, ceiling


def _number(name: str, what: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidSchema(message("Field {name}: {what} must be a number.", name=name, what=what))
    return float(value)
