"""Whether a challenger goes live, and why: one sentence that a manager understands."""

from __future__ import annotations

from loanapp.core.errors import Message, message
from loanapp.core.model.metrics import Comparison
from loanapp.core.settings import Promotion


def decide(
    promotion: Promotion,
    champion: str | None,
    comparison: Comparison | None,
    earlier: Comparison | None,
    margin_pct: float,
) -> tuple[bool, Message]:
    """Decide on a challenger.

    Parameters
    ----------
    promotion
        ``always``; ``better``: only if the interval of the difference on the new rows does not
        allow the challenger to be worse by more than the margin, and on the earlier ones, which
        may be few, it is not; ``manual``.
    champion
        The version that serves; None: nothing does.
    comparison
        Of both on the new file's held-out rows; None: they cannot be compared.
    earlier
        Of both on the held-out rows of the champion's own file.
    margin_pct
        How much worse it may be, in % of the champion's mean absolute error.
    """
    finding = _finding(champion, comparison)
    if promotion == "manual":
        return False, message(
            "The new model waits for a decision by hand. {finding}", finding=finding
        )
    if promotion == "always" or champion is None:
        return True, message("The new model is live. {finding}", finding=finding)
    if comparison is None or earlier is None:
        return False, message("The new model is not live. {finding}", finding=finding)
    allowed = comparison.champion.mae * margin_pct / 100
    if comparison.upper > allowed:
        return False, message(
            "The new model is not live: on the new clients it may be worse by up to {worst}, and"
            " {margin} is allowed. {finding}",
            worst=round(comparison.upper, 2),
            margin=round(allowed, 2),
            finding=finding,
        )
    allowed = earlier.champion.mae * margin_pct / 100
    if earlier.difference > allowed:
        return False, message(
            "The new model is not live: on the clients of the model that serves it is worse by"
            " {worst}, and {margin} is allowed. {finding}",
            worst=round(earlier.difference, 2),
            margin=round(allowed, 2),
            finding=finding,
        )
    return True, message("The new model is live. {finding}", finding=finding)


def _finding(champion: str | None, comparison: Comparison | None) -> Message:
    """Say what the comparison found."""
    if champion is None:
        return message("It is the first one.")
    if comparison is None:
        return message(
            "It cannot be compared with version {champion} on these rows.", champion=champion
        )
    facts = {
        "champion": champion,
        "before": round(comparison.champion.mae, 2),
        "after": round(comparison.challenger.mae, 2),
    }
    if comparison.upper < 0:
        return message(
            "On the same held-out clients its mean error is {after} instead of {before} with"
            " version {champion}: it is better.",
            **facts,
        )
    if comparison.lower > 0:
        return message(
            "On the same held-out clients its mean error is {after} instead of {before} with"
            " version {champion}: it is worse.",
            **facts,
        )
    return message(
        "On the same held-out clients its mean error is {after}, {before} with version {champion}:"
        " no clear difference.",
        **facts,
    )
