"""For block_placement: networkx, plain Python, Pyomo and its HiGHS, SCIP."""
