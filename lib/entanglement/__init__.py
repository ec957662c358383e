"""The science of "On the Computational Entanglement of Distant Features in Adversarial Machine Learning".

One module, one job: theory (closed forms); pairs, lazy and dense (the engine); spacetime, reconciliation, robustness and beyond
(what notebooks 03, 05, 07 and 09 add); data, bench, explore, phase.
"""

__version__ = "0.1.0"
