"""The environment, with what `make run` wrote for its own processes below it.

`var/run.env` is the launcher's: it names the embedded database and its secrets, so that a command in another
terminal finds the running product. Variables that are set win over it; with DEBUG set to a false value it is not read.
"""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent
VAR_DIR = Path(os.environ.get("RINGFENCE_VAR", BASE_DIR / "var"))

env = environ.Env()

if (BASE_DIR / ".env").exists():
    env.read_env(BASE_DIR / ".env")
if env.bool("DEBUG", default=True) and (VAR_DIR / "run.env").exists():
    env.read_env(VAR_DIR / "run.env")
