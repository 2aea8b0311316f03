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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_file_and_folder_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.(?:py|js|sql|css|html))?|[a-z_]+\.py)`", document.read_text()))
    tree = [*files_of_the_tree(), *(f"/{path.name}" for path in ROOT.iterdir())]
    missing = [
        name
        for name in sorted(named - WRITTEN_BY_A_RUN)
        if not any(path.endswith("/" + name.rstrip("/")) for path in tree)
    ]
    assert missing == []
