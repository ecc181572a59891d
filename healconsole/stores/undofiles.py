"""The last act on each healer, kept so that it can be taken back by whoever may act there.

One file a healer, where only root or the caller can put it: it holds bytes that are written back.
"""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from typing import Any, Final

from healconsole.core.frozen import replace
from healconsole.core.unread import unread
from healconsole.stores import rawjson
from healconsole.stores.apply import UndoRecord
from healconsole.stores.changes import Done
from healconsole.stores.files import Missing, Unreadable, components, read_name
from healconsole.stores.requestfiles import folder
from healconsole.stores.requests import make_folder
from healconsole.stores.trust import Untrusted, check_file
from healconsole.stores.writing import write_new

FOLDER: Final = ".undo"
"""Below the state root."""

_LIMIT: Final = 1_048_576


class NoUndo(Exception):  # noqa: N818 - an answer
    """There is no act that can be taken back; the message says why."""


def keep(root: str | os.PathLike[str], record: UndoRecord, login_uid: int | None) -> str:
    """Keep what takes an act back, in place of the one before it.

    Args:
        root: the state root.
        record: the act.
        login_uid: whose it is, as the kernel knows; None if nobody may take it back alone.

    Returns:
        Why it could not be kept; empty if it was.
    """
    draft = f".{record.healer}.{record.act}"
    try:
        told = _told(record, login_uid)
        if len(told) > _LIMIT:
            return f"it is larger than {_LIMIT} bytes"
        make_folder(root, FOLDER)
        with folder(root, FOLDER) as fd:
            write_new(fd, draft, told)
            try:
                os.rename(draft, record.healer, src_dir_fd=fd, dst_dir_fd=fd)
            except BaseException:
                os.unlink(draft, dir_fd=fd)
                raise
            os.fsync(fd)
    except (Missing, Unreadable, Untrusted, OSError, TypeError, ValueError) as error:
        # The act is done by now: whatever is wrong here, the caller has to be able to say so.
        return str(error)
    return ""


def kept(root: str | os.PathLike[str], healer: str) -> tuple[UndoRecord, int | None]:
    """The last act on ``healer``, and the login uid of who did it alone.

    Raises:
        NoUndo: there is none, or it is not to be trusted.
    """
    try:
        with folder(root, FOLDER) as fd:
            raw, info = read_name(fd, healer, _LIMIT)
            check_file(info, f"{FOLDER}/{healer}")
        found = rawjson.load(raw)
        record, login_uid = _record(found), found["login_uid"]
    except Missing as error:
        raise NoUndo(f"no act on {healer} is kept that could be taken back") from error
    except (Unreadable, Untrusted, OSError) as error:
        raise NoUndo(unread(f"the last act on {healer}", str(error))) from error
    except (ValueError, TypeError, KeyError) as error:
        raise NoUndo(f"{FOLDER}/{healer} does not match its format") from error
    if record.healer != healer:
        raise NoUndo(f"{FOLDER}/{healer} is of another healer")
    return record, login_uid if isinstance(login_uid, int) else None


def drop(root: str | os.PathLike[str], record: UndoRecord) -> None:
    """Forget an act that was taken back, unless another one is kept by now.

    If it cannot be removed it stays, and is refused: its files are not what it left any more.
    """
    with suppress(NoUndo, Missing, Unreadable, Untrusted, OSError):
        if kept(root, record.healer)[0].act == record.act:
            with folder(root, FOLDER) as fd:
                os.unlink(record.healer, dir_fd=fd)


def _told(record: UndoRecord, login_uid: int | None) -> bytes:
    return rawjson.dump(
        {
            "act": record.act,
            "login_uid": login_uid,
            "healer": record.healer,
            "verb": record.verb,
            "scope": record.scope,
            "before": record.before,
            "after": record.after,
            "done": [
                [done.path, _text(done.before), _text(done.after), done.aside]
                for done in record.done
            ],
        }
    )


def _record(found: dict[str, Any]) -> UndoRecord:
    texts = ("act", "healer", "verb", "before", "after")
    scope = found["scope"]
    if not all(isinstance(found[key], str) for key in texts) or not isinstance(scope, str | None):
        raise ValueError("texts")
    done = tuple(_done(*each) for each in found["done"])
    made = UndoRecord(found["healer"], found["verb"], scope, done, found["before"], found["after"])
    return replace(made, act=found["act"])


def _done(path: str, before: str | None, after: str | None, aside: str | None) -> Done:
    components(path)
    if aside is not None:
        components(aside)
    return Done(path, _bytes(before), _bytes(after), aside)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)
