"""Do the papers' claims hold? Examines every claim in this folder and compares with the recorded verdicts.

``python theory/ledger.py`` takes a minute or two, ``--full`` the sizes of the recorded numbers. Exit code 1 if a
verdict differs from the recorded one; ``--record`` accepts new ones.
"""

from __future__ import annotations

from pathlib import Path

from rtsim.cli.ledger import main

if __name__ == "__main__":
    raise SystemExit(main(Path(__file__).parent))
