"""Opening the audit log to read, and cutting what was read into lines."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

from healconsole.core.auditline import AuditLine, UnparsableLine
from healconsole.core.auditparse import RAW_MAX, READ_MAX, parse_line
from healconsole.stores.files import Missing, Unreadable, kind

# Like writers (docs/contract.md), follow no link; a FIFO in the log's place must not hang us.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_log(path: str | os.PathLike[str]) -> int:
    """Open a log to read, leaving its access time alone where we may; the caller closes it.

    Raises:
        Missing: there is no such file.
        Unreadable: there is something that cannot be read as a log.
    """
    try:
        try:
            descriptor = os.open(path, _FLAGS | os.O_NOATIME)
        except PermissionError:
            # Only the owner may ask for O_NOATIME (open(2)).
            descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise Missing from None
    except OSError as error:
        raise Unreadable(_reason(error)) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise Unreadable(f"{kind(mode)}, not a regular file")
    return descriptor


def _reason(error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "a symbolic link: name the log that it leads to"
    if error.errno == errno.EACCES:
        return "permission denied: join the group that may read the log, or use sudo"
    if error.errno == errno.ENOTDIR:
        return "a part of its path is not a directory"
    return f"cannot be read ({(error.strerror or str(error)).lower()})"


class LineSplitter:
    """Turns bytes that arrive in pieces into audit lines; keeps the unfinished last one.

    However long a line is, no more than `READ_MAX` bytes of it are kept.

    Args:
        offset: where in the file the first byte to come lies.
        headless: that byte is not the first of its line, whose beginning was not read.
    """

    def __init__(self, offset: int = 0, *, headless: bool = False) -> None:
        self.offset = offset
        """Where the unfinished line begins, or the next one."""
        self.pending = 0
        """Bytes of the unfinished line so far."""
        self._kept = bytearray()
        self._headless = headless

    def feed(self, data: bytes) -> list[AuditLine]:
        """Return the lines that `data` finishes, in order."""
        lines: list[AuditLine] = []
        begin = 0
        while (newline := data.find(b"\n", begin)) >= 0:
            end = newline + 1
            if self.pending or self._headless:
                self._keep(data[begin:end])
                lines.append(self._finish())
            else:
                lines.append(parse_line(data[begin:end], self.offset))
                self.offset += end - begin
            begin = end
        if begin < len(data):
            self._keep(data[begin:])
        return lines

    def flush(self, why: str) -> AuditLine | None:
        """Give up on the unfinished line, if there is one: nothing more of it will come."""
        if not self.pending:
            return None
        line = UnparsableLine(self.offset, self.pending, bytes(self._kept[:RAW_MAX]), why)
        self._reset()
        return line

    def _keep(self, part: bytes) -> None:
        self.pending += len(part)
        self._kept += part[: READ_MAX + 1 - len(self._kept)]

    def _finish(self) -> AuditLine:
        line: AuditLine
        if self._headless:
            line = self._long("its beginning was not read")
        elif self.pending > len(self._kept):
            line = self._long(f"{self.pending} bytes long, more than {READ_MAX} are not read")
        else:
            line = parse_line(bytes(self._kept), self.offset)
        self._reset()
        return line

    def _long(self, why: str) -> UnparsableLine:
        return UnparsableLine(self.offset, self.pending, bytes(self._kept[:RAW_MAX]), why)

    def _reset(self) -> None:
        self.offset += self.pending
        self.pending = 0
        self._kept.clear()
        self._headless = False
