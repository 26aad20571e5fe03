"""The real command line on the stub's keeper."""

from studio import commands
from studio.cli import main
from studio.runs.desk import Desk
from studio.runs.launchers.local import Local


def desk(workspace):
    return Desk(workspace, Local(workspace, "stub_keeper"))


if __name__ == "__main__":
    commands.Desk = desk
    main()
