"""Do the papers' claims hold? Examines every claim in this folder and compares with the recorded verdicts.

``python theory/ledger.py`` takes a minute or two, ``--full`` the sizes of the recorded numbers. Exit code 1 if a
verdict differs from the recorded one; ``--record`` accepts new ones.
"""

from __future__ import annotations

from pathlib import Path

from rtsim.cli.ledger import main

#: The claims in the order of the papers: the first one's text, algorithms, appendix and figures, then the second's.
ORDER = (
    "definition_1",
    "equation_1",
    "equation_1_independent",
    "equation_2",
    "equation_3",
    "equation_3_upper",
    "equation_4",
    "equation_4_cycle",
    "equation_4_tighter",
    "theorem_1",
    "remark_1",
    "section_3_no_offsets",
    "remark_2_algorithm_1",
    "remark_2_algorithm_2",
    "section_3_2_minimum",
    "langford_scaling",
    "algorithm_1_printed",
    "algorithm_1_cold_start",
    "algorithm_2_printed",
    "b4_algorithm_1",
    "b4_algorithm_2",
    "b5_chunking_inaction",
    "b5_chunking_learning",
    "b6_memoryless",
    "b6_sublinear",
    "figure_7_epsilon",
    "proposition_1",
    "proposition_2",
    "proposition_3",
    "second_paper_regrets",
)

if __name__ == "__main__":
    raise SystemExit(main(Path(__file__).parent, order=ORDER))
