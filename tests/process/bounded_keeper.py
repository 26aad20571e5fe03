"""The real keeper, whose training workers get no more memory than a test allows."""

from studio.runs.keeper import main

if __name__ == "__main__":
    main("bounded_keeper", extra={"train": "bounded_work:main"})
