"""Companion library for "On the Computational Entanglement of Distant Features in Adversarial Machine Learning".

One module, one job: theory (closed forms); selection, pairs, lazy and dense (the engine); spacetime, reconciliation, robustness and
beyond (what notebooks 03, 05, 07 and 09 add); data, claims, plots and explore (what a notebook takes in and shows); sweep and phase (a
function over a grid, and an example); pipeline, scratch, verify, refresh, pages and bench (how
notebooks are run, checked, stored, read and timed).
"""

__version__ = "0.1.0"
