"""How large a client file may be: looked at before work is spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loanapp.core.settings import Settings

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest file that is read.

    Parameters
    ----------
    bytes
        Size of the file as it comes, in bytes.
    decompressed_bytes
        Size of what an archive, a workbook or a Parquet file unpacks to, in bytes.
    rows, columns, cells
        Size of the table.
    line_bytes
        Length of one row of a text file, quoted line breaks included, in characters.
    """

    bytes: int = 100 * MB
    decompressed_bytes: int = 1_000 * MB
    rows: int = 20_000_000
    columns: int = 2_000
    line_bytes: int = MB
    cells: int = 400_000_000

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """The limits that the operator has set."""
        return cls(
            bytes=int(settings.max_upload_mb * MB),
            decompressed_bytes=int(settings.max_decompressed_mb * MB),
            rows=settings.max_rows,
            columns=settings.max_columns,
            line_bytes=int(settings.max_line_mb * MB),
            cells=settings.max_cells,
        )


DEFAULT_LIMITS = Limits()
