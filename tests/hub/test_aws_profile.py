"""What is said of the files of the AWS configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from llmstack.hub.aws_profile import aws_problem

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "wJalrXUtnFEMI"  # nobody's


@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"aws_secret_access_key = {SECRET}\n", 1),
        (f"[default]\nregion = eu-1\n{SECRET}\n", 3),
        (f"[default]\n{SECRET} = 1\n[default]\na = {SECRET}\n", 3),
        (f"[default]\na = 1\na = {SECRET}\n", 3),
    ],
)
def test_a_file_that_is_not_understood_is_named_with_its_line_and_never_quoted(
    tmp_path: Path, variable: str, text: str, line: int
) -> None:
    """It holds keys, and what is said goes to clients and logs."""
    pytest.importorskip("aiobotocore")
    nowhere = str(tmp_path / "none")
    path = tmp_path / "file"
    path.write_text(text)
    environ = {"AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere}
    problem = aws_problem("", "eu-1", {**environ, variable: str(path)})
    assert (
        problem == f"the AWS configuration cannot be read: line {line} of {path} is not understood"
    )
