"""What an operator's act is refused with on the command line, and what is true then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from healconsole.cli.errors import RefusedError
from healconsole.core.plan import ActRefused
from healconsole.engine.secondperson import SecondPersonNeeded
from healconsole.stores.apply import ChangedUnderneath, NotApplied
from healconsole.stores.auditlog import AuditUnwritable


@contextmanager
def refusals(where: str) -> Iterator[None]:
    """Make one clear line, begun with ``where``, of what keeps an act from being done.

    Raises:
        RefusedError: it was refused, failed, or waits for a second person.
    """
    try:
        yield
    except SecondPersonNeeded as asked:
        raise RefusedError(str(asked)) from asked
    except ActRefused as error:
        raise RefusedError(f"{where}: refused: {error}") from error
    except (ChangedUnderneath, NotApplied) as error:
        raise RefusedError(f"{where}: {error}") from error
    except AuditUnwritable as error:
        raise RefusedError(
            f"{where}: the audit log cannot be written, so nothing was changed: {error}"
        ) from error
