"""Apps open every transaction by unit_of_work(): a plain atomic() that rolls back keeps what was collected in it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from config.tests.test_import_order import ORDER
from dev.stack.environment import ROOT


def opened(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr == "atomic":
            yield f"{path.relative_to(ROOT)}:{node.lineno}"


def test_apps_open_transactions_by_unit_of_work() -> None:
    sources = [path for app in ORDER for path in (ROOT / app).rglob("*.py")]
    own = [path for path in sources if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts)]
    assert len(own) > 50
    assert [place for path in own for place in opened(path)] == []
