"""The same statements without us: pgbench, out of the wheel or the machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from bench.progress import STILL_SECONDS
from dev.stack import StackError
from dev.stack.postgres import installed_programs


def program() -> str:
    """Its path. Raises StackError where there is none."""
    try:
        embedded = installed_programs() / "bin" / "pgbench"
        if not embedded.exists():
            raise StackError("The embedded PostgreSQL comes without pgbench.")
        return str(embedded)
    except StackError:
        found = shutil.which("pgbench") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/pgbench")), None)
        if found is None:
            raise
        return found


def transactions_a_second(script: str, *, folder: Path, clients: int, seconds: float) -> float:
    """Rate of a script's runs, connecting not counted."""
    file = folder / "script.sql"
    file.write_text(script)
    url = urlsplit(os.environ["DATABASE_URL"])
    host = parse_qs(url.query).get("host", [url.hostname or "127.0.0.1"])[0]
    env = {**os.environ, "PGHOST": host, "PGUSER": url.username or "", "PGDATABASE": unquote(url.path.lstrip("/"))}
    if url.port:
        env["PGPORT"] = str(url.port)
    if url.password:
        env["PGPASSWORD"] = unquote(url.password)
    argv = [program(), "-n", "-f", str(file), "-c", str(clients), "-j", "2", "-T", str(max(1, round(seconds)))]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=seconds + STILL_SECONDS, check=False)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or found is None:
        raise RuntimeError(f"pgbench failed: {done.stdout[-500:]} {done.stderr[-1500:]}")
    return float(found[1])
