"""Data on its way: a file read in a limited child process, its versions, profile, roles, checks, chat forms and split.

Polars is the engine of choice here: it pages and searches Parquet lazily with 40-60 MB in the web process, its
profile of a million rows takes a second on one core, and it never guesses types unless asked, so that "NA" and
"00123" survive. (pandas costs twice the memory and reads both wrongly; DuckDB refuses GB18030 and cp1252.) Lines are
read by the standard library's csv and json all the same, because only they can say which line of a file is broken.
"""
