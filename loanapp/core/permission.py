"""What a role is refused, whichever face asks."""

from __future__ import annotations

from loanapp.core.access import Identity, Role
from loanapp.core.answers import TrainingOptions
from loanapp.core.errors import NotAllowed, message
from loanapp.core.settings import Promotion

BOLDNESS: tuple[Promotion, ...] = ("manual", "better", "always")


def require(caller: Identity, role: Role) -> None:
    """Refuse whoever may not do what takes a role. Raises NotAllowed."""
    if not caller.may(role):
        raise NotAllowed(
            message(
                "This takes the role “{needed}”; {name} has the role “{role}”.",
                needed=role,
                name=caller.name,
                role=caller.role,
            )
        )


def check_options(caller: Identity, options: TrainingOptions, setting: Promotion) -> None:
    """Refuse a training that would go live more boldly than the setting lets it.

    Who may promote may choose; for the others the operator has chosen. Raises NotAllowed.
    """
    if options.promotion and BOLDNESS.index(options.promotion) > BOLDNESS.index(setting):
        require(caller, "admin")
