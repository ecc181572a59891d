"""A real node_exporter serves the metrics of healers while they are rewritten."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.engine.sites import many
from tests.ops.kits import passes, tool
from tests.shell.bashes import NOON, ShellSite

WRITES = many(60, 5_000)
"""By each of two healers: 10,000 in the long variant."""
SCOPES = 8

BASH = f"""
tell() {{
  _heal_policy && _heal_layout && _heal_read_tally
  for ((_heal_seq = 1; _heal_seq <= {WRITES}; _heal_seq++)); do
    _heal_acted[success]=$_heal_seq
    _heal_clock
    _heal_write_metrics
  done
}}
_heal_call tell
"""
PYTHON = f"""
import sys, time
from pathlib import Path
from healconsole.core.metrics import Tally, format_metrics, scope_samples
from healconsole.core.records import Policy
from healconsole.stores.metricsfile import write_metrics
from healconsole.stores.scopefiles import read_scopes
folder, state = map(Path, sys.argv[1:])
for seq in range(1, {WRITES} + 1):
    scopes = scope_samples(read_scopes(state), Policy(), time.time())
    tally = Tally({{"success": seq}})
    text = format_metrics("python", time.time(), seq, tally, scopes, dry_run=False)
    write_metrics(folder, "python", text)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "textfiles"
    found.mkdir()
    return found


@pytest.fixture
def exporter(folder: Path) -> Iterator[str]:
    """The address of a real node_exporter's metrics; only its textfile collector runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [
            tool("prometheus-node-exporter"), "--collector.disable-defaults",
            "--collector.textfile", f"--collector.textfile.directory={folder}",
            f"--web.listen-address=127.0.0.1:{port}", "--web.disable-exporter-metrics",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        url = f"http://127.0.0.1:{port}/metrics"
        try:
            deadline = time.monotonic() + 20
            while True:
                try:
                    scraped(url)
                    break
                except URLError:
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
            yield url
        finally:
            process.terminate()


def scraped(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - of the exporter that we started
        return str(answer.read().decode())


def value(text: str, sample: str) -> float:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    assert found, f"{sample} is not served"
    return float(found[1])


def test_every_scrape_beside_writers_is_whole(tmp_path: Path, folder: Path, exporter: str) -> None:
    sites = [ShellSite(tmp_path, now=None, name=name) for name in ("bash", "python")]
    for site in sites:
        for number in range(SCOPES):
            site.write(f"cb/scope{number}", f"3 {NOON} 3 600 open {NOON + 600}\n")
    bash = sites[0].start(BASH, HEAL_TEXTFILE_DIR=str(folder))
    python = subprocess.Popen([sys.executable, "-c", PYTHON, str(folder), str(sites[1].state)])
    try:
        deadline = time.monotonic() + (1_000 if WRITES > 1_000 else 60)
        while {path.name for path in folder.glob("*.prom")} != {
            "heal_bash.prom",
            "heal_python.prom",
        }:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        last = {"bash": 0.0, "python": 0.0}
        scrapes = 0
        text = ""
        while True:
            over = bash.poll() is not None and python.poll() is not None
            text = scraped(exporter)
            scrapes += 1
            assert value(text, "node_textfile_scrape_error") == 0
            for name, before in last.items():
                cycles = value(text, f'heal_cycles_total{{healer="{name}"}}')
                assert cycles == value(
                    text, f'heal_actions_total{{healer="{name}",outcome="success"}}'
                )
                assert cycles >= before
                last[name] = cycles
                assert text.count(f'heal_tokens{{healer="{name}"') == SCOPES
                assert text.count(f'heal_breaker_state{{healer="{name}"') == 5 * SCOPES
                assert value(text, f'heal_dry_run{{healer="{name}"}}') == 0
            if over:
                break
            assert time.monotonic() < deadline
    finally:
        bash.kill()
        python.kill()
        _, said = bash.communicate()
        python.wait()
    assert (bash.returncode, python.returncode, said) == (0, 0, "")
    assert last == {"bash": WRITES, "python": WRITES}
    assert scrapes > many(10, 500)
    # One HELP and one TYPE each: with two that differ, the exporter serves only one healer.
    for line in ("# HELP heal_", "# TYPE heal_"):
        assert text.count(line) == 7
    assert {path.name for path in folder.iterdir()} == {"heal_bash.prom", "heal_python.prom"}
    passes(tool("promtool"), "check", "metrics", said=text)


def test_a_help_that_differs_is_dropped_by_the_exporter(folder: Path, exporter: str) -> None:
    """Why both libraries write the same bytes."""
    for name, says in (("a", "Cycles."), ("b", "Cycles of a healer.")):
        (folder / f"heal_{name}.prom").write_text(
            f"# HELP heal_cycles_total {says}\n# TYPE heal_cycles_total counter\n"
            f'heal_cycles_total{{healer="{name}"}} 1\n'
        )
    text = scraped(exporter)
    served = [name for name in "ab" if f'heal_cycles_total{{healer="{name}"}} 1' in text]
    assert len(served) == 1
    assert value(text, "node_textfile_scrape_error") == 0  # and nobody is told
