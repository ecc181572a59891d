"""The fleet's part: the halt key, and the lease on a lock that an act needs."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from healconsole.core.records import Policy
from healconsole.core.verdict import FleetState

if TYPE_CHECKING:
    from healconsole.stores.redislink import RedisLink
