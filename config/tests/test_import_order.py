"""Imports go one way, in the order that pyproject.toml declares. import-linter checks it too, with rooms within apps.

Only this test sees what names a module by a string: import_module, migrations' dependencies, addresses, related names.
"""

import ast
import functools
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver

from dev.stack.environment import ROOT

_LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
_LAYERS = next(contract["layers"] for contract in _LINTER["contracts"] if contract["id"] == "apps")
ORDER = {app: rank for rank, layer in enumerate(reversed(_LAYERS)) for app in layer.split(" | ") if app != "config.lib"}
_NAMES_A_MODULE = {"import_module", "import_string", "get_model", "get_app_config"}
_NAMES_AN_ADDRESS = {"reverse", "reverse_lazy", "redirect", "resolve_url"}
_NAMES_A_RELATION = {
    "getattr",
    "hasattr",
    "select_related",
    "prefetch_related",
    "prefetch_related_objects",
    "Prefetch",
    "OuterRef",
    "F",
    "Q",
    "values",
    "values_list",
    "only",
    "defer",
    "order_by",
}

# Addresses and related names of apps to the right that an app uses by name: all that there are.
REVERSE_NAMES = {
    "accounts/views.py": {"buy"},
    "wallet/admin.py": {"refund", "admin:verifications_verification_change", "admin:payments_payment_changelist"},
    "payments/views.py": {"buy-service"},
    "verifications/selectors.py": {"refunds"},
    "activity/services.py": {"notification"},
}


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


@functools.cache
def owners_of_addresses() -> dict[str, str]:
    """Return the app that has each address, by the address's name; the console's belong to the app of their model."""
    owners = {
        f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}": model._meta.app_label
        for model in apps.get_models()
        for page in ("changelist", "add", "change", "delete", "history")
    }
    waiting: list[URLPattern | URLResolver] = [*get_resolver().url_patterns]
    while waiting:
        found = waiting.pop()
        if isinstance(found, URLResolver):
            waiting += [] if found.namespace else found.url_patterns
        elif found.name:
            owners[found.name] = found.lookup_str.split(".", maxsplit=1)[0]
    return owners


@functools.cache
def owners_of_relations() -> dict[str, set[tuple[str, str]]]:
    """Return (app of the model, app of the foreign key) of all relations across apps, by the related name."""
    owners: dict[str, set[tuple[str, str]]] = {}
    for model in apps.get_models():
        for relation in model._meta.related_objects:
            ends = (model._meta.app_label, relation.related_model._meta.app_label)
            if ends[0] in ORDER and ends[1] in ORDER and (name := relation.get_accessor_name()):
                owners.setdefault(name, set()).add(ends)
    return owners


def reverse_names(path: Path, source: str) -> set[str]:
    """Return the addresses and the related names of apps to the right that the file uses."""
    addresses, relations = owners_of_addresses(), owners_of_relations()
    used: set[str] = set()
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.Constant) and str(node.value).startswith("admin:"):
            used.add(str(node.value))
        elif isinstance(node, ast.Call):
            strings = [str(part.value) for part in node.args if isinstance(part, ast.Constant)]
            if _called(node) in _NAMES_AN_ADDRESS:
                used.update(strings)
            if _called(node) in _NAMES_A_RELATION:
                names.update(part for string in strings for part in string.lstrip("-").split("__"))
            names.update(part for keyword in node.keywords if keyword.arg for part in keyword.arg.split("__"))
    found = {name for name in used if name in addresses and _is_forbidden(path, addresses[name])}
    for name in names & set(relations):
        if any(not _is_forbidden(path, model) and _is_forbidden(path, key) for model, key in relations[name]):
            found.add(name)
    return found


def _is_forbidden(path: Path, app: str) -> bool:
    return app in ORDER and not is_allowed(path, app)


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


def test_names_of_apps_to_the_right_are_declared() -> None:
    used = {
        str(path): names
        for path in sources()
        if path.parts[0] in ORDER and not {"tests", "migrations"} & set(path.parts)
        if (names := reverse_names(path, (ROOT / path).read_text()))
    }
    assert used == REVERSE_NAMES


def test_every_app_is_looked_at() -> None:
    assert {path.parts[0] for path in sources()} == {*ORDER, "config", "dev"}
    ours = {config.name for config in apps.get_app_configs() if (ROOT / config.name).is_dir()}
    assert ours == {*ORDER, "config", "dev"}
    assert {*_LINTER["root_packages"]} == {*ORDER, "config", "dev", "tests", "bench"}


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


@pytest.mark.parametrize(
    ("path", "source", "names"),
    [
        ("accounts/views.py", 'redirect("buy")', {"buy"}),
        ("wallet/admin.py", 'URL = "admin:payments_payment_changelist"', {"admin:payments_payment_changelist"}),
        ("wallet/views.py", "user.verifications.count()", {"verifications"}),
        ("wallet/selectors.py", 'Transaction.objects.select_related("refund__verification")', {"refund"}),
        ("verifications/selectors.py", "Verification.objects.filter(refunds__status=1)", {"refunds"}),
        ("refunds/views.py", 'redirect("buy")', set()),
        ("wallet/views.py", "user.wallet", set()),
    ],
)
def test_a_name_of_an_app_to_the_right_is_found(path: str, source: str, names: set[str]) -> None:
    assert reverse_names(Path(path), source) == names
