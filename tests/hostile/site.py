"""A host on which everything that the console reads was written by somebody who attacks it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cli.program import Site, cycle, stamp
from tests.hostile.payloads import BYTES, EVERYTHING, LONG_LINE, MANY_MARKS, PAYLOADS

HEALER = "evil"
"""A healer whose name is in order, so that it can be acted upon, and whose state is not."""

FIELDS = ("host", "healer", "intent", "outcome", "reason", "fact", "scope", "key", "guard",
          "trigger", "incident", "before", "after", "ts")  # fmt: skip

SCRIPT = """#!/usr/bin/env bash
if [[ ${1-} == --plan ]]; then cat "$ROOT/plan"; exit; fi
cat "$ROOT/output"
"""


def hostile(tmp_path: Path) -> Site:
    """Build it."""
    site = Site(tmp_path, int(time.time()))
    now = site.now
    for place, payload in enumerate(PAYLOADS.values()):
        breaker = f"3 {now - 60} 3 600 open {now + 540}\n"
        site.write(f"{HEALER}/cb/{scope_file(payload)}", breaker)
        site.write(f"{HEALER}/rate/{scope_file(payload)}", f"{now} 2.000000 0.016700 3\n")
        marker = {"intent": payload, "scope": payload, "at": now, "pid": 1, "outcome": payload}
        name = hashlib.sha256(str(place).encode()).hexdigest()
        site.write(f"{HEALER}/keys/{name}", dumps(marker) + "\n")
    site.write(f"{HEALER}/cb/" + "[@click=app.quit]\x1b]0;x\x07 a=b", f"9 {now}\n")  # legacy
    site.write(f"{HEALER}/cycle.json", cycle(
        now, fact=EVERYTHING, intent=EVERYTHING, outcome="denied", library="python",
        verdict={"allow": False, "guard": "circuit", "reason": EVERYTHING, "earliest": None},
    ))  # fmt: skip
    site.write(f"{HEALER}/claims/0", f"v1 1 1 00000000 {now} {EVERYTHING}\n")
    for name, text in (("corrupt", EVERYTHING.encode()), ("bytes", b"".join(BYTES.values()))):
        for file in ("hold", "dry-run", "cycle.json", "cb/x", "rate/x", "claims/0", "keys/x"):
            site.write(f"{name}/{file}", text)
    for raw in (safe_name(EVERYTHING), *map(safe_name, PAYLOADS.values())):
        (site.state / os.fsdecode(raw) / "cb").mkdir(parents=True, exist_ok=True)
    for raw in BYTES.values():
        (site.state / os.fsdecode(b"b-" + raw)).mkdir(exist_ok=True)
    catalog(site)
    metrics(site)
    requests(site)
    with site.audit.open("ab") as log:
        log.writelines(audit_lines(now))
    return site


def audit_lines(now: int) -> Iterator[bytes]:
    """Events of which every field attacks, and lines that are no events."""
    yield dumps({"ts": stamp(now), "healer": HEALER, "fact": LONG_LINE}).encode() + b"\n"
    yield LONG_LINE.encode() + b"\n"
    yield dumps({"ts": stamp(now), "healer": HEALER, "reason": MANY_MARKS}).encode() + b"\n"
    for payload in (EVERYTHING, *PAYLOADS.values()):
        event: dict[str, object] = dict.fromkeys(FIELDS, payload)
        event["operator"] = {"user": payload, payload: payload}
        yield dumps(event).encode() + b"\n"
        yield payload.replace("\n", " ").encode() + b"\n"
        yield dumps({
            "ts": stamp(now), "healer": HEALER, "outcome": "operator-trip", "fact": payload,
            "reason": payload, "scope": payload, "operator": {"user": payload}, payload: payload,
        }).encode() + b"\n"  # fmt: skip
    for raw in BYTES.values():
        yield raw + b"\n"
        yield b'{"ts":"' + stamp(now).encode() + b'","healer":"evil","fact":"' + raw + b'"}\n'


def catalog(site: Site) -> None:
    """An entry of the catalog, and what its command prints."""
    folder = site.root / "healers.d"
    folder.mkdir()
    script = site.root / "script"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    texts = "".join(
        f"{key} = {dumps(EVERYTHING)}\n" for key in ("description", "owner", "runbook", "unit")
    )
    variables = f'environment = {{ ROOT = "{site.root}" }}\n'
    # TOML knows no \x7f and no raw controls either; JSON's escapes are TOML's.
    toml = f'command = ["{script}"]\n{texts}{variables}'.replace("\x7f", "\\u007f")
    (folder / f"{HEALER}.toml").write_text(toml, encoding="utf-8")
    (folder / "corrupt.toml").write_text(EVERYTHING, encoding="utf-8")
    plan = {
        "fact": EVERYTHING, "intent": EVERYTHING, "mode": EVERYTHING,
        "verdict": {"allow": False, "guard": EVERYTHING, "reason": EVERYTHING, "earliest": None},
    }  # fmt: skip
    (site.root / "plan").write_text(dumps(plan) + "\n", encoding="utf-8")
    output = EVERYTHING.encode() + b"\n" + b"\n".join(BYTES.values()) + b"\n" + b"x" * 70_000
    (site.root / "output").write_bytes(output)


def requests(site: Site) -> None:
    """Acts that wait for a second person, of which every text attacks."""
    folder = site.state / ".requests"
    folder.mkdir(mode=0o700)
    texts = dict.fromkeys(("scope", "reason", "incident", "before", "after"), EVERYTHING)
    lines = ("now_lines", "after_lines", "next_lines", "warnings")
    operator = {
        "user": EVERYTHING, "uid": EVERYTHING, "login_uid": 1, "via": EVERYTHING,
        "from": EVERYTHING, "claimed": {EVERYTHING: EVERYTHING},
    }  # fmt: skip
    for name in ("aaa", "bbb"):
        request = {
            "id": name, "verb": "reset", "healer": HEALER, "operator": operator, "files": [],
            "at": site.now, "until": site.now + 86_400, **texts,
            **{key: [EVERYTHING] for key in lines},
        }  # fmt: skip
        (folder / name).write_text(dumps(request), encoding="utf-8")
        (folder / name).chmod(0o600)


def metrics(site: Site) -> None:
    """Metrics whose labels attack."""
    folder = site.root / "textfile"
    folder.mkdir()
    label = EVERYTHING.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    sample = f'heal_last_cycle_timestamp_seconds{{healer="{label}"}} {site.now}\n'
    (folder / "heal_x.prom").write_text(sample, encoding="utf-8")
    (folder / "heal_corrupt.prom").write_text(EVERYTHING, encoding="utf-8")


def hostile_redis(url: str, now: int) -> None:
    """Locks and a halt whose texts attack."""
    import redis

    with redis.Redis.from_url(url) as client:
        for payload in (EVERYTHING, *PAYLOADS.values()):
            client.set(f"heal:lock:{payload}", f"{payload}/h/1/{payload}", px=600_000)
            client.set(f"heal:fence:{payload}", payload)
        for raw in BYTES.values():
            client.set(b"heal:lock:" + raw, raw, px=600_000)
        client.set("heal:halt", f"{now} 0 ana {EVERYTHING}")
        client.set("heal:tokens:restart", EVERYTHING)


def environment(site: Site, url: str) -> dict[str, str]:
    """The environment of the program that reads all of it."""
    return {
        **site.environment,
        "HEAL_REDIS_URL": url,
        "HEAL_TEXTFILE_DIR": str(site.root / "textfile"),
    }


def scope_file(scope: str) -> str:
    """The name of a scope's file, as the contract has it."""
    name = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"
        for byte in scope.encode()
    )
    if len(name) <= 180:
        return name
    return name[:99] + "%~" + hashlib.sha256(scope.encode()).hexdigest()[:32]


def safe_name(text: str) -> bytes:
    """``text`` as the name of a file: as it is but for what no name can hold."""
    return text.replace("\0", "").replace("/", "|").encode()[:200]


def dumps(value: object) -> str:
    """JSON in which what is not ASCII stands as it is."""
    return json.dumps(value, ensure_ascii=False)
