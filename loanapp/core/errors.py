"""What can go wrong, as facts that a face can show in the reader's language.

LoanappError
├── InvalidSchema      (ValueError)    the contract file is not a contract
├── InvalidTable       (ValueError)    a client file was refused: every problem found
├── LimitExceeded      (ValueError)    an upload is larger than a limit allows
├── NoModel            (LookupError)   nothing serves yet
├── UnknownVersion     (LookupError)   no such model version
├── UnknownJob         (LookupError)   no such training
├── InvalidBundle      (ValueError)    a scoring artefact is corrupt, truncated or foreign
├── TrainingBusy                       another training is running
├── TrainingFailed                     the training ended without a model, and why
├── StoreUnavailable                   the database or the disk does not answer
├── RemoteUnavailable                  the remote API does not answer
├── NotIdentified                      nobody has said who they are
└── NotAllowed                         their role may not do this
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

    from loanapp.core.data.report import Report


@dataclass(frozen=True, slots=True)
class Message:
    """An English sentence with named gaps, translated where it is shown.

    Parameters
    ----------
    template
        The sentence, with ``{name}`` gaps. It is the key of the translation.
    values
        What fills the gaps. A value may be a `Message` itself.

    Notes
    -----
    In pydantic it is a text: dumped with ``context={"translate": function}`` it is that
    function's text, without one a ``{template, values}`` pair that can be translated later.
    A text is read as a message without gaps.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format_map(self.values) if self.values else self.template

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        """Make the message a field of pydantic's."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls._read,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls._write, info_arg=True, return_schema=core_schema.any_schema()
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        """Say that it is a text."""
        return {"type": "string"}

    @classmethod
    def _read(cls, value: object) -> Message:
        if isinstance(value, Message):
            return value
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping) and isinstance(value.get("template"), str):
            values = value.get("values", {})
            return cls(value["template"], {k: _revive(v) for k, v in values.items()})
        raise ValueError("not a message")

    def _write(self, info: Any) -> object:
        translate: Callable[[Message], str] | None = (info.context or {}).get("translate")
        if translate:
            return translate(self)
        return {"template": self.template, "values": {k: _plain(v) for k, v in self.values.items()}}


def _plain(value: object) -> object:
    if isinstance(value, Message):
        values = {k: _plain(v) for k, v in value.values.items()}
        return {"template": value.template, "values": values}
    return value if isinstance(value, int | float | bool) else str(value)


def _revive(value: object) -> object:
    return Message._read(value) if isinstance(value, Mapping) else value


def message(template: str, **values: object) -> Message:
    """Mark a sentence for translation and fill its gaps.

    Examples
    --------
    >>> str(message("at most {limit} rows", limit=3))
    'at most 3 rows'
    """
    return Message(template, values)


class LoanappError(Exception):
    """Root of everything that Loanapp raises on purpose.

    Attributes
    ----------
    code
        The error's name for machines: ``InvalidTable`` is ``invalid-table``.
    """

    code: ClassVar[str] = "loanapp-error"

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, what: Message | str) -> None:
        self.message = what if isinstance(what, Message) else Message(what)
        super().__init__(str(self.message))

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message,))


class InvalidSchema(LoanappError, ValueError):
    """The contract file is not a Table Schema that Loanapp can use."""


class InvalidTable(LoanappError, ValueError):
    """A client file was refused.

    Attributes
    ----------
    report
        What was read, repaired and found wrong: ``report.problems`` holds the first 100
        problems, ``report.problem_count`` how many there are.
    """

    def __init__(self, what: Message | str, report: Report) -> None:
        super().__init__(what)
        self.report = report

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.report))


class LimitExceeded(LoanappError, ValueError):
    """An upload is larger than a limit allows; refused before work is spent on it."""


class NoModel(LoanappError, LookupError):
    """No model serves yet."""


class UnknownVersion(LoanappError, LookupError):
    """The registry holds no such version."""


class UnknownJob(LoanappError, LookupError):
    """There is no such training."""


class InvalidBundle(LoanappError, ValueError):
    """A scoring artefact is corrupt, truncated or foreign."""


class TrainingBusy(LoanappError):
    """Another training is running in this store.

    Attributes
    ----------
    job_id
        The training that runs.
    retry_after_s
        After how many seconds another try is sensible.
    """

    def __init__(self, what: Message | str, job_id: str = "", retry_after_s: int = 30) -> None:
        super().__init__(what)
        self.job_id = job_id
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.message, self.job_id, self.retry_after_s))


class TrainingFailed(LoanappError):
    """A training ended without a model."""


class StoreUnavailable(LoanappError):
    """The database or the disk does not answer."""


class RemoteUnavailable(LoanappError):
    """The remote API does not answer, or answers something else."""


class NotIdentified(LoanappError):
    """Nobody has said who they are: a token or a login is missing, or not known."""


class NotAllowed(LoanappError):
    """The caller's role may not do this."""
