"""Most functions say more than their body: private ones that are used once stay few.

Counted in the product's own modules (not its tests, nor migrations): of all functions and methods, those whose name
begins with one underscore and occurs once in their module beside the definition, as a name or an attribute.
"""

import ast
from collections import Counter

from dev.stack.environment import ROOT

APPS = ("config", "accounts", "wallet", "payments", "verifications", "refunds", "activity", "notifications")
MOST_PERCENT = 8


def functions(source: str) -> tuple[int, list[str]]:
    """Return how many functions a module has, and the names of the private ones that are used once."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    used = Counter(node.id for node in nodes if isinstance(node, ast.Name))
    used += Counter(node.attr for node in nodes if isinstance(node, ast.Attribute))
    return len(names), [n for n in names if n.startswith("_") and not n.startswith("__") and used[n] <= 1]


def test_few_private_functions_are_used_once() -> None:
    total, once = 0, []
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                count, names = functions(path.read_text())
                total += count
                once += [f"{path.relative_to(ROOT)}: {name}" for name in names]
    assert 100 * len(once) / total < MOST_PERCENT, "\n".join(once)


def test_the_count_tells_functions_apart() -> None:
    source = "def a():\n    _b(); _c(); _c()\ndef _b(): ...\ndef _c(): ...\nclass D:\n    def _e(self): self._e()\n"
    assert functions(source) == (4, ["_b", "_e"])
