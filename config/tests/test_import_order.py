"""Imports go one way. The order stands in docs/architecture.md; nothing is exempt from it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.stack.environment import ROOT

ORDER = {"accounts": 1, "wallet": 2, "payments": 3, "verifications": 3, "refunds": 4, "activity": 5, "notifications": 6}
_NAMES_A_MODULE = {"import_module", "import_string", "get_model", "get_app_config"}


def is_allowed(path: Path, module: str) -> bool:
    """Whether the file at `path` (relative to the tree) may import `module`."""
    app, target = path.parts[0], module.split(".", maxsplit=1)[0]
    if app in ORDER:
        if target in ORDER:
            return target == app or ORDER[target] < ORDER[app]
        if target == "config":
            return _is_in(module, "config.lib")
        return target not in ("tests", "bench") and (target != "dev" or "tests" in path.parts)
    if path.parts[:2] == ("config", "lib"):
        return target not in (*ORDER, "dev") and (target != "config" or _is_in(module, "config.lib"))
    if path.parts[:2] == ("dev", "sandbox"):
        return target not in ORDER and (target not in ("config", "dev") or _is_in(module, "dev.sandbox", "config.lib"))
    return app != "config" or target != "dev" or "tests" in path.parts


def _is_in(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports_of(path: Path, source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import: at the top, inside functions, for types alone, by name, and of migrations."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(path, node)
            # `from config import lib` imports config.lib.
            yield from ((node.lineno, f"{base}.{alias.name}" if base == "config" else base) for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in _NAMES_A_MODULE and node.args:
            if isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value
        elif isinstance(node, ast.Assign) and "migrations" in path.parts and _assigns(node, "dependencies"):
            for part in ast.walk(node.value):
                if isinstance(part, ast.Tuple) and part.elts and isinstance(part.elts[0], ast.Constant):
                    yield part.lineno, str(part.elts[0].value)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.with_suffix("").parts[: -node.level]
    return ".".join((*package, *([node.module] if node.module else [])))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _assigns(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def breaches(path: Path, source: str) -> list[str]:
    return [
        f"{path}:{line} imports {module}" for line, module in imports_of(path, source) if not is_allowed(path, module)
    ]


def sources() -> list[Path]:
    return [
        path.relative_to(ROOT) for part in (*ORDER, "config", "dev") for path in sorted((ROOT / part).rglob("*.py"))
    ]


def test_every_import_goes_to_the_left() -> None:
    assert [breach for path in sources() for breach in breaches(path, (ROOT / path).read_text())] == []


def test_every_app_is_looked_at() -> None:
    assert {path.parts[0] for path in sources()} == {*ORDER, "config", "dev"}


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("wallet/services.py", "from refunds.models import Refund"),
        ("wallet/services.py", "def f():\n    import activity.services"),
        ("wallet/models.py", "if TYPE_CHECKING:\n    from notifications.models import Notification"),
        ("payments/services/top_up.py", "from verifications import selectors"),
        ("verifications/tasks.py", "from payments.models import Payment"),
        ("accounts/views.py", "from config import urls"),
        ("accounts/views.py", "from config.celery import app"),
        ("activity/apps.py", 'import_module("notifications.receivers")'),
        ("wallet/receivers.py", 'apps.get_model("refunds", "Refund")'),
        ("wallet/migrations/0002.py", 'class Migration:\n    dependencies = [("refunds", "0001_initial")]'),
        ("wallet/services.py", "from dev.testing import live"),
        ("wallet/tests/test_post.py", "from refunds.tests.factories import make_refund"),
        ("wallet/tests/test_post.py", "from tests.journeys import buy"),
        ("config/lib/money.py", "from wallet.models import Wallet"),
        ("config/lib/money.py", "from config.settings import base"),
        ("dev/sandbox/app.py", "from payments.models import Payment"),
        ("dev/sandbox/app.py", "from ..stack import launcher"),
        ("dev/sandbox/app.py", "from config.settings import base"),
        ("config/views.py", "from dev.stack import environment"),
        ("config/lib/money.py", "from dev.testing import live"),
    ],
)
def test_an_import_to_the_right_is_found(path: str, source: str) -> None:
    assert len(breaches(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("refunds/receivers.py", "from verifications.signals import verification_ended"),
        (
            "notifications/receivers.py",
            "from activity import signals\nfrom . import services\nfrom .catalog import EVENTS",
        ),
        ("wallet/services.py", "from config.lib.money import cents\nfrom config.lib import errors\nimport django"),
        ("wallet/tests/test_post.py", "from dev.testing.live import until\nfrom accounts.tests import factories"),
        ("config/urls.py", "from notifications import views"),
        ("dev/stack/launcher.py", "from dev.stack import StackError"),
    ],
)
def test_an_import_to_the_left_is_not(path: str, source: str) -> None:
    assert breaches(Path(path), source) == []
