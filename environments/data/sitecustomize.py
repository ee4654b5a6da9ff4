# Whenever Python starts here: put the list of fonts that at-build.py has made where
# matplotlib looks for it. Without it, the first import would take a second longer.
import os
import sys

_share = os.path.join(sys.prefix, "share", "matplotlib")
_folder = os.environ.get("MPLCONFIGDIR", "")
try:
    if _folder and os.path.isdir(_share):
        os.makedirs(_folder, exist_ok=True)
        for _name in os.listdir(_share):
            os.symlink(os.path.join(_share, _name), os.path.join(_folder, _name))
except OSError:
    pass
