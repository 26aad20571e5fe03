"""The real keeper without its heavy imports, whose workers do the stub's work."""

from studio.runs.keeper import main

if __name__ == "__main__":
    main("stub_keeper", preload=(), extra={"train": "stub_work:main"})
