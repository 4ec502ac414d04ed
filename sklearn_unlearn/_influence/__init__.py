"""How would the parameters move? Objectives, solvers and the reweighting."""
