"""`make test`: run every check and every test, and print at the end which failed.

`python -m dev.testing.suite [lint]`. With CI set, what cannot be run is a failure.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dev.stack.environment import ROOT
from dev.testing.browser import chromium
from dev.testing.services import ENVIRONMENT, LESSER_URL, suite_services

PYTHON = sys.executable
_NO_TESTS = 5  # pytest's exit code

# What a production start requires, with secrets that are unknown.
PRODUCTION = {
    "DEBUG": "0",
    "ALLOWED_HOSTS": "ringfence.test",
    "PUBLIC_URL": "https://ringfence.test",
    "METRICS_TOKEN": ENVIRONMENT["SECRET_KEY"],
    "PGOPTIONS": "",
}


@dataclass(frozen=True)
class Step:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


LINT = (
    Step("ruff check", [PYTHON, "-m", "ruff", "check", "."]),
    Step("ruff format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
    Step("mypy", [PYTHON, "-m", "mypy"]),
    Step("imports", [str(Path(PYTHON).with_name("lint-imports")), "--no-cache", "--no-logo"]),
    Step("templates", [PYTHON, "-m", "djlint", "templates", "--lint", "--quiet"]),
)
CHECKS = (
    Step("migrations", [PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"]),
    Step(
        "OpenAPI",
        [PYTHON, "manage.py", "spectacular", "--validate", "--fail-on-warn", "--file", os.devnull],
    ),
)
_DEPLOY = Step("check --deploy", [PYTHON, "manage.py", "check", "--deploy", "--fail-level", "WARNING"])
_PARALLEL = ("-n", "2", "--dist", "loadgroup")
TESTS = Step("tests", [PYTHON, "-m", "pytest", "-m", "not browser and not live", *_PARALLEL])
# Deployments side by side, which mostly wait. What stops Redis or cuts connections would do so to all beside it, so it
# gets services of its own, or its turn alone where they are named from outside.
_SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")
DRILLS = Step("drills", [PYTHON, "-m", "pytest", "-m", "side_by_side and not browser", *_SIDE_BY_SIDE])
LIVE_TESTS = Step(
    "other live tests and drills", [PYTHON, "-m", "pytest", "-m", "live and not side_by_side and not browser"]
)
BROWSER_TESTS = Step("browser tests", [PYTHON, "-m", "pytest", "-m", "browser and not alone", *_SIDE_BY_SIDE])
BROWSER_ALONE = Step("browser tests that stop Redis", [PYTHON, "-m", "pytest", "-m", "browser and alone"])
# Where our own SQL is; every app's migrations run there besides.
_OWN_SQL = ("wallet", "refunds", "notifications", "verifications/tests/test_receive.py")
_QUICK = "not browser and not live and not slow and not drill and not races"


def main() -> int:
    embedded = not (os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL"))
    with suite_services():
        if sys.argv[1:] == ["lint"]:
            failed = _failing(LINT)
        else:
            deploy = replace(_DEPLOY, env={**PRODUCTION, "DATABASE_URL": os.environ[LESSER_URL]})
            failed = _failing((*LINT, *CHECKS, deploy))
            failed += [step.name for step in (*_also(), TESTS) if not _passes(step)]
            apart = replace(LIVE_TESTS, env={"DATABASE_URL": "", "REDIS_URL": ""})  # services of its own
            failed += (
                _failing((DRILLS, apart)) if embedded else [s.name for s in (DRILLS, LIVE_TESTS) if not _passes(s)]
            )
            failed += _browser_tests()
    if failed:
        print(f"\nFAILED: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _passes(step: Step) -> bool:
    print(f"\n--- {step.name}", flush=True)
    began = time.monotonic()
    code = subprocess.run(list(step.argv), cwd=ROOT, env={**os.environ, **step.env}, check=False).returncode
    if code:
        took = time.monotonic() - began
        why = "found no test" if code == _NO_TESTS and "pytest" in step.argv else f"ended with code {code}"
        print(f"--- {step.name} {why} after {took:.0f} s", flush=True)
    return code == 0


def _failing(steps: Sequence[Step]) -> list[str]:
    """Run the steps at the same time and return the names of those that fail. Prints each one's output as it ends."""
    with contextlib.ExitStack() as files:
        running = []
        for step in steps:
            said = files.enter_context(tempfile.TemporaryFile())
            env = {**os.environ, **step.env}
            child = subprocess.Popen(list(step.argv), cwd=ROOT, env=env, stdout=said, stderr=subprocess.STDOUT)
            running.append((step, child, said))
        failed = []
        for step, child, said in running:
            code = child.wait()
            said.seek(0)
            print(f"\n--- {step.name}\n{said.read().decode(errors='replace').rstrip()}", flush=True)
            if code:
                print(f"--- {step.name} ended with code {code}", flush=True)
                failed.append(step.name)
    return failed


def _also() -> tuple[Step, ...]:
    """Return the quick tests of code with SQL of our own on a second database, if CI names one."""
    url = os.environ.get("ALSO_DATABASE_URL")
    if not url:
        return ()
    env = {"DATABASE_URL": url, "DATABASE_POOL_MAX": "10"}
    return (
        Step(
            "tests on the machine's PostgreSQL",
            [PYTHON, "-m", "pytest", "-q", "-m", _QUICK, *_PARALLEL, *_OWN_SQL],
            env,
        ),
    )


def _browser_tests() -> list[str]:
    """Run the browser tests and return the names of what failed. Without Chromium they fail only in CI."""
    if chromium() is None:
        _install_chromium()
    if chromium() is not None:
        return [step.name for step in (BROWSER_TESTS, BROWSER_ALONE) if not _passes(step)]
    print("\n--- browser tests NOT RUN: there is no Chromium (as root: apt-get install chromium)", flush=True)
    return [f"{BROWSER_TESTS.name} (no Chromium)"] if os.environ.get("CI") else []


def _install_chromium() -> None:
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        return
    print("\n--- installing Chromium for the browser tests", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for argv in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]):
        if subprocess.run([*argv, "-qq"], env=env, stdout=subprocess.DEVNULL, check=False).returncode:
            print(f"--- `{' '.join(argv)}` failed", flush=True)
            return


if __name__ == "__main__":
    sys.exit(main())
