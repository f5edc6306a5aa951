"""``llmstack init`` writes a first models.ini and never overwrites one unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.config import default_ini

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def test_the_shipped_file_is_written_here(command: Callable[..., Outcome], tmp_path: Path) -> None:
    assert command("init").status == 0
    assert (tmp_path / ".llmstack" / "models.ini").read_text() == default_ini()


def test_an_edited_file_is_kept_unless_forced(
    command: Callable[..., Outcome], tmp_path: Path
) -> None:
    path = tmp_path / ".llmstack" / "models.ini"
    path.parent.mkdir()
    path.write_text("; mine\n")
    again = command("init")
    assert again.status == 0
    assert f"kept {path}" in again.out
    assert path.read_text() == "; mine\n"
    assert command("init", "--force").status == 0
    assert path.read_text() == default_ini()
    assert path.with_name("models.ini.bak").read_text() == "; mine\n"
