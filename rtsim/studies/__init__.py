"""The first paper's learning figures: what is trained for each, where its results lie, and what they say.

A figure is a grid of cells: a panel (an environment), a method, a size of the network, and so a delay, and a seed. A
cell is one training in virtual time; its result is a few rows of a table, which pictures are drawn from. The tables
that come with rtsim were made so; :mod:`rtsim.studies.tables` reads them without training anything.
"""

from rtsim.studies.design import FIGURES, METHODS, Cell, Figure, Method, Panel, find
from rtsim.studies.tables import Point, Row, points, read, shipped, write

__all__ = [
    "FIGURES",
    "METHODS",
    "Cell",
    "Figure",
    "Method",
    "Panel",
    "Point",
    "Row",
    "find",
    "points",
    "read",
    "shipped",
    "write",
]
