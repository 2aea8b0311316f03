"""The documents name files that exist."""

import re
from pathlib import Path

import pytest

from dev.stack.environment import ROOT

WRITTEN_BY_A_RUN = {"var/"}
DOCUMENTS = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"]


def files_of_the_tree() -> list[str]:
    folders = [
        path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "var"
    ]
    return ["/" + path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*")]


def missing_in(text: str) -> list[str]:
    """Return the files and folders that a document names and the tree lacks."""
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|js|sql|css|html))?|[a-z_]+\.py)`", text))
    tree = [*files_of_the_tree(), *(f"/{path.name}" for path in ROOT.iterdir())]
    found = (name for name in named - WRITTEN_BY_A_RUN if any(path.endswith("/" + name.rstrip("/")) for path in tree))
    return sorted(named - WRITTEN_BY_A_RUN - set(found))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_and_folder_that_a_document_names_exists(document: Path) -> None:
    assert missing_in(document.read_text()) == []


def test_what_does_not_exist_is_found() -> None:
    text = "`wallet/services.py`, `wallet/no_such_file.py`, `no_such_folder/`, `no_such_file.py`, `wallet/sql/`"
    assert missing_in(text) == ["no_such_file.py", "no_such_folder/", "wallet/no_such_file.py"]
