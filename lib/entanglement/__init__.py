"""Companion library for "On the Computational Entanglement of Distant Features in Adversarial Machine Learning".

One module, one job: theory (closed forms), selection, pairs, lazy and dense (the engine), data,
claims and plots (what a notebook leaves behind), pipeline (how it is run).
"""

__version__ = "0.1.0"
