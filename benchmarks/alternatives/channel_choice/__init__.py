"""For channel_choice: SCIP, and Pyomo's HiGHS over all coalitions."""
