"""Answers from finished runs: one predictor shared by report, playground and files, and the process it lives in.

Only `predictor`, `generation`, `pool`, `requests`, `turns`, `server` and `package` belong to that process;
`client`, `settings`, `protocol` and `files` import no torch and serve the web and the command line.
"""
