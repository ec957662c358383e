"""What makes this repository run: notebooks with claims, their figures and their words. It knows
nothing of the paper.
"""
