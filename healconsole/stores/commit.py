"""What an act leaves on disk before it starts, and when its outcome is known.

Everything here happens under ``.guard``. The order of the writes is the promise of the
contract: whatever write the process dies at, the act is not repeated in its bucket, its
token stays spent, and the log tells of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress

from healconsole.core.breaker import (
    format_breaker,
    record_failure,
    record_success,
    take_probe,
)
from healconsole.core.breaker import rebased as rebased_breaker
from healconsole.core.bucket import format_bucket, take
from healconsole.core.bucket import rebased as rebased_bucket
from healconsole.core.claim import format_claim
from healconsole.core.intent import bucket_number, marker_key
from healconsole.core.marker import format_marker
from healconsole.core.records import (
    BreakerRecord,
    BucketRecord,
    ClaimRecord,
    Corrupt,
    MarkerRecord,
    Policy,
)
from healconsole.core.recovery import Recovery, recover
from healconsole.core.scopes import scope_file_name
from healconsole.core.verdict import FleetState, GuardState, Intent
from healconsole.core.words import Outcome
from healconsole.stores.claims import empty_slot, keep_name, open_slot
from healconsole.stores.files import Missing, Unreadable
from healconsole.stores.locks import GUARD, LOCK_TIMEOUT, release, take_lock
from healconsole.stores.processes import own_identity
from healconsole.stores.statedir import StateDir
from healconsole.stores.writing import Dirs, Draft, create_new, overwrite, remove_below, write_all


class NotCommitted(Exception):  # noqa: N818 - the answer to a commit, for the guardrail "record"
    """The act must not start; what was written of it is taken back where it can be.

    The message is a sentence that says why.
    """


@contextmanager
def hold(path: str | os.PathLike[str], timeout: float = LOCK_TIMEOUT) -> Iterator[Held]:
    """Hold ``.guard`` of the state directory ``path``.

    Raises:
        NotCommitted: the directory or its lock cannot be had, or somebody held the lock for
            longer than ``timeout`` seconds.
    """
    try:
        state = StateDir(path, pinned=True)
    except Missing as error:
        raise NotCommitted(f"there is no state directory {os.fspath(path)}") from error
    except Unreadable as error:
        raise NotCommitted(f"{os.fspath(path)}: {error.why}") from error
    with state:
        try:
            lock = take_lock(state.fd, GUARD, timeout)
        except OSError as error:
            raise NotCommitted(_sentence(error)) from error
        try:
            if not _leads_to(path, state.fd):
                raise NotCommitted(f"{os.fspath(path)} was replaced while its lock was waited for")
            with closing(Dirs(state.fd, state.descriptor)) as dirs:
                yield Held(state, dirs)
        finally:
            release(lock)


class Held:
    """The guard state of one healer while its lock is held. Made by ``hold``."""

    def __init__(self, state: StateDir, dirs: Dirs) -> None:
        """``state`` was opened for this; nothing is remembered from before the lock."""
        self._state = state
        self._dirs = dirs

    def guard_state(
        self,
        intent: Intent,
        policy: Policy,
        now: float,
        *,
        dry: bool | None = None,
        dry_env: str | None = None,
        fleet: FleetState | None = None,
    ) -> GuardState:
        """As ``StateDir.guard_state``, and true until the lock is let go of."""
        return self._state.guard_state(intent, policy, now, dry=dry, dry_env=dry_env, fleet=fleet)

    def claims(self) -> tuple[ClaimRecord | Corrupt, ...]:
        """Everything in flight, ``alive`` filled in."""
        return self._state.claims()

    def begin(
        self,
        intent: Intent,
        policy: Policy,
        now: float,
        *,
        probe: bool,
        announce: Callable[[ClaimRecord], None],
    ) -> ClaimRecord:
        """Take the token, and write marker and claim; all durable when this returns.

        Args:
            intent: allowed by the guardrails on ``guard_state``, under this very lock.
            policy: the limits.
            now: epoch seconds: the start of the act.
            probe: whether the act is the one probe of a half-open breaker.
            announce: appends the ``started`` event and makes it durable. If it raises,
                everything is taken back and its error goes on.

        Raises:
            NotCommitted: something could not be written; the act must not start.
        """
        scope_file = scope_file_name(intent.scope)
        bucket = self._taken("rate", scope_file, policy, now)
        pid, start, boot = _identity()
        whole = math.floor(now)
        key = marker_key(intent.text, bucket_number(now, policy.bucket))
        marker = MarkerRecord(key, whole, intent.text, intent.scope, pid, Outcome.STARTED)
        with _not_committed(), ExitStack() as undo:
            drafts = [self._draft(undo, f"rate/{scope_file}", format_bucket(bucket))]
            if probe:
                lent = take_probe(self._probed(scope_file), policy, now)
                drafts.append(self._draft(undo, f"cb/{scope_file}", format_breaker(lent)))
            claim = ClaimRecord(
                slot=self._state.free_slot(), pid=pid, start=start, boot=boot, at=whole, key=key,
                scope_file=scope_file, probe=probe, last_refill=bucket.last_refill,
                tokens_micro=bucket.tokens_micro, intent=intent.text, alive=True,
            )  # fmt: skip
            with ExitStack() as opened:
                self._write_marker(opened, undo, marker)
                self._write_claim(opened, undo, claim)
                # All is written before the first is waited for, which the file system turns
                # into few journal commits; leaving this block syncs marker and claim.
                for draft in drafts:
                    draft.sync()
            announce(claim)
            # The bucket last: if the breaker cannot be placed, no token is spent for nothing.
            for draft in reversed(drafts):
                # Not made durable here: until the slot is emptied the claim says the same.
                draft.place(sync_dir=False)
            undo.pop_all()  # nothing is taken back any more
        return claim

    def finish(
        self,
        claim: ClaimRecord,
        policy: Policy,
        now: float,
        *,
        scope: str,
        succeeded: bool,
        announce: Callable[[], None],
    ) -> None:
        """Record the outcome of the act that ``claim`` stands for.

        Breaker, marker, event and slot are written in this order. If one of them fails the
        claim stays and denies, and the same call may be made again: a failure may then
        count twice, and is never lost.

        Args:
            claim: what ``begin`` returned.
            policy: the limits.
            now: epoch seconds: the end of the act.
            scope: the intent's scope.
            succeeded: whether the act was verified.
            announce: appends the event of the outcome and makes it durable.

        Raises:
            OSError: something could not be written.
            ValueError: the claim is not of this scope.
        """
        if scope_file_name(scope) != claim.scope_file:
            raise ValueError(f"the claim of {claim.scope_file!r} is not of scope {scope!r}")
        self.record(scope, policy, now, succeeded=succeeded, began=claim.at)
        if succeeded:
            self._mark_success(claim, scope, policy, now)
        else:
            # A marker that comes back after a power cut denies for its bucket, and no more.
            remove_below(self._dirs.root, f"keys/{claim.key}", sync=False)
        announce()
        self._close_claim(claim)

    def record(
        self, scope: str, policy: Policy, now: float, *, succeeded: bool, began: int
    ) -> None:
        """Count a success or a failure on the breaker of ``scope``; a corrupt one is left.

        Raises:
            OSError: it could not be written.
        """
        scope_file = scope_file_name(scope)
        breaker = self._state.breaker(scope_file)
        if isinstance(breaker, Corrupt):
            return
        if succeeded:
            counted = record_success(breaker, policy, now, began)
        else:
            counted = record_failure(breaker, policy, now)
        if counted is not None:
            self._dirs.replace(f"cb/{scope_file}", format_breaker(counted))

    def recover(
        self,
        claim: ClaimRecord,
        policy: Policy,
        now: float,
        *,
        announce: Callable[[Recovery], None],
    ) -> Recovery:
        """Settle a claim whose process is gone; ``announce`` appends ``interrupted``.

        If a write fails the claim stays, and the next cycle settles it.

        Raises:
            OSError: something could not be written.
            ValueError: the claim's process lives.
        """
        if claim.alive:
            raise ValueError(f"pid {claim.pid} of claim {claim.slot} lives")
        bucket = self._state.bucket("rate", claim.scope_file)
        breaker = self._state.breaker(claim.scope_file)
        marker = self._state.marker("keys", claim.key)
        plan = recover(claim, bucket, marker, breaker, policy, now)
        if plan.bucket is not None:
            self._dirs.replace(f"rate/{claim.scope_file}", format_bucket(plan.bucket))
        if plan.marker is not None:
            self._dirs.replace(f"keys/{claim.key}", format_marker(plan.marker))
        announce(plan)
        if plan.breaker is not None:
            self._dirs.replace(f"cb/{claim.scope_file}", format_breaker(plan.breaker))
        self._close_claim(claim)
        return plan

    def rehearse(self, intent: Intent, policy: Policy, now: float) -> None:
        """Spend a token and leave a marker in the shadow state of dry-run.

        Raises:
            NotCommitted: they could not be written.
        """
        scope_file = scope_file_name(intent.scope)
        bucket = self._taken("dry/rate", scope_file, policy, now)
        key = marker_key(intent.text, bucket_number(now, policy.bucket))
        marker = MarkerRecord(
            key, math.floor(now), intent.text, intent.scope, os.getpid(), Outcome.DRY_RUN
        )
        with _not_committed():
            self._dirs.replace(f"dry/rate/{scope_file}", format_bucket(bucket))
            self._dirs.replace(f"dry/keys/{key}", format_marker(marker))

    def correct(self, scope: str, policy: Policy, now: float) -> None:
        """Write back times that a clock which stepped back left ahead of now.

        Raises:
            OSError: they could not be written.
        """
        scope_file = scope_file_name(scope)
        for folder in ("rate", "dry/rate"):
            bucket = self._state.bucket(folder, scope_file)
            if isinstance(bucket, BucketRecord):
                sound = rebased_bucket(bucket, policy, now)
                if sound is not None:
                    self._dirs.replace(f"{folder}/{scope_file}", format_bucket(sound))
        breaker = self._state.breaker(scope_file)
        if isinstance(breaker, BreakerRecord):
            mended = rebased_breaker(breaker, policy, now)
            if mended is not None:
                self._dirs.replace(f"cb/{scope_file}", format_breaker(mended))

    def _taken(self, folder: str, scope_file: str, policy: Policy, now: float) -> BucketRecord:
        bucket = self._state.bucket(folder, scope_file)
        if isinstance(bucket, Corrupt):
            raise NotCommitted(f"{folder}/{scope_file} is corrupt: {bucket.why}")
        try:
            return take(bucket, policy, now)
        except ValueError as error:
            raise NotCommitted(f"{folder}/{scope_file}: {error}") from error

    def _probed(self, scope_file: str) -> BreakerRecord:
        breaker = self._state.breaker(scope_file)
        if not isinstance(breaker, BreakerRecord):
            why = "corrupt" if isinstance(breaker, Corrupt) else "not there"
            raise NotCommitted(f"cb/{scope_file} is {why}, so there is no probe to take")
        return breaker

    def _draft(self, undo: ExitStack, relpath: str, data: bytes) -> Draft:
        draft = Draft(self._dirs, relpath, data)
        undo.callback(draft.discard)
        return draft

    def _write_marker(self, opened: ExitStack, undo: ExitStack, marker: MarkerRecord) -> None:
        keys = self._dirs.at("keys")
        opened.callback(os.fsync, keys)
        fd = create_new(keys, marker.key)
        undo.callback(self._remove_marker, marker.key)
        opened.callback(os.close, fd)
        opened.callback(os.fsync, fd)
        write_all(fd, format_marker(marker))

    def _write_claim(self, opened: ExitStack, undo: ExitStack, claim: ClaimRecord) -> None:
        claims = self._dirs.at("claims")
        fd = open_slot(claims, claim.slot)
        self._state.claims_changed()
        undo.callback(self._empty_slot, claim)
        opened.callback(os.close, fd)
        opened.callback(keep_name, claims, fd)
        opened.callback(os.fsync, fd)
        write_all(fd, format_claim(claim))

    def _remove_marker(self, key: str) -> None:
        with suppress(OSError):  # a marker that stays denies; the caller says why it failed
            remove_below(self._dirs.root, f"keys/{key}")

    def _empty_slot(self, claim: ClaimRecord) -> None:
        with suppress(OSError):  # a claim that stays denies, and is settled as interrupted
            empty_slot(self._dirs.at("claims"), claim.slot)

    def _mark_success(self, claim: ClaimRecord, scope: str, policy: Policy, now: float) -> None:
        # A clock that stepped back during the act must not let the next one come early.
        at = max(claim.at, math.floor(now))
        end = marker_key(claim.intent, bucket_number(now, policy.bucket))
        # The other one first: only the marker of the claim's own key proves the success.
        for key in dict.fromkeys((end, claim.key)):
            marker = MarkerRecord(key, at, claim.intent, scope, claim.pid, Outcome.SUCCESS)
            line = format_marker(marker)
            # "success" is as long as "started", and a marker that is torn denies.
            if key != claim.key or not overwrite(self._dirs.at("keys"), key, line):
                self._dirs.replace(f"keys/{key}", line)

    def _close_claim(self, claim: ClaimRecord) -> None:
        # The token that begin took was on disk in the claim alone until now.
        os.fsync(self._dirs.at("rate"))
        empty_slot(self._dirs.at("claims"), claim.slot)
        self._state.claims_changed()


def _leads_to(path: str | os.PathLike[str], fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))  # noqa: PTH116 - takes any path
    except FileNotFoundError:
        return False


@contextmanager
def _not_committed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotCommitted(_sentence(error)) from error


def _sentence(error: OSError) -> str:
    why = (error.strerror or str(error)).lower()
    return f"{os.fsdecode(error.filename)}: {why}" if error.filename else f"state: {why}"


def _identity() -> tuple[int, int, str]:
    try:
        return own_identity()
    except OSError as error:
        raise NotCommitted(str(error)) from error
