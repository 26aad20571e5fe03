"""A process that leads a workspace as the web server does, until it is ended. Argument: the workspace."""

import sys
import time

from studio.runs.desk import Desk
from studio.runs.launchers.local import Local
from studio.workspace import Workspace

if __name__ == "__main__":
    workspace = Workspace.open(sys.argv[1])
    desk = Desk(workspace, Local(workspace, "stub_keeper"))
    desk.supervise()
    while True:
        time.sleep(1)
