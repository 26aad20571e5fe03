"""Start the studio: `python launch.py [--host HOST] [--port PORT] [--home DIR] [--name HOST ...]`."""

from studio.cli import main

if __name__ == "__main__":
    import sys

    main(["serve", *sys.argv[1:]])
