"""Solvers: the only place that talks to HiGHS, CP-SAT and Pyomo's other solvers."""
