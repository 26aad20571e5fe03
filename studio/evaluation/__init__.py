"""How good a run is, and against what: metrics, intervals, simple models, the coach and the report."""
