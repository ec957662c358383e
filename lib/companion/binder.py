"""`make binder`: the badge and link that open this clone's own origin on mybinder.org."""

import re
import subprocess
import sys

from companion.tree import ROOT, status, stems


def origin():
    """The address of the clone's origin; "" if it has none."""
    call = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    return subprocess.run(call, capture_output=True, text=True).stdout.strip()


def link(address):
    """The address of a session for a repository on GitHub; None for any other."""
    found = re.search(r"github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?$", address)
    page = f"HEAD?labpath=notebooks/{stems()[0]}.ipynb"
    return f"https://mybinder.org/v2/gh/{found[1]}/{page}" if found else None


def main():
    """Print badge and link, or why there is none."""
    address = origin()
    if target := link(address):
        print(f"[![Binder](https://mybinder.org/badge_logo.svg)]({target})\n{target}")
    else:
        print(f"no link: the origin of this clone ({address or 'it has none'}) is not on GitHub")


if __name__ == "__main__":
    sys.exit(status(main))
