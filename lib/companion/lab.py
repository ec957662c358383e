"""`make lab`: JupyterLab on this tree, its first notebook open; kernels as `make all` has them.

Lab's own settings stay in build/settings/. It saves what is edited; `make all` and `make run` keep
to the parameters as last refreshed all the same.
"""

import json
import os
import sys

from companion.claims import write_whole
from companion.pins import SETTINGS, environment
from companion.tree import ROOT, status, stems

NOTIFICATIONS = "lab/user-settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"


def command(*options):
    """The command line of JupyterLab, with the user's options last."""
    own = [
        f"--ServerApp.root_dir={ROOT}",
        f"--LabApp.default_url=/lab/tree/notebooks/{stems()[0]}.ipynb",
    ]
    if os.geteuid() == 0:  # in a container, where Jupyter would refuse
        own.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", *own, *options]


def main():
    """Become JupyterLab."""
    answers = {"fetchNews": "false", "checkForUpdates": False}  # or a pop-up asks
    write_whole(SETTINGS / "jupyter" / NOTIFICATIONS, json.dumps(answers).encode())
    line = command(*sys.argv[1:])
    os.execve(line[0], line, os.environ | environment())


if __name__ == "__main__":
    sys.exit(status(main))
