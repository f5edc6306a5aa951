"""Every one of the forty behaviours that a drop-in must get right has tests that name it."""

from __future__ import annotations

from tests.top40 import CLAUSES, index, table


def test_every_clause_of_every_line_has_a_test_that_names_it() -> None:
    named = {(line, clause) for line, clause, _ in index()}
    wanted = {(line, clause) for line, clauses in CLAUSES.items() for clause in clauses}
    assert list(CLAUSES) == list(range(1, 41))
    assert not wanted - named, f"without a test: {sorted(wanted - named)}\n{table()}"
    assert not named - wanted, f"not a clause: {sorted(named - wanted)}"
