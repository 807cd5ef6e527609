"""For dt_assignment: Pyomo and its HiGHS (as printed, and with pairs), plain CP-SAT."""
