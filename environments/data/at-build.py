# Looking through all fonts takes a second: once, here. sitecustomize.py puts the list where
# matplotlib looks for it.
import glob
import os
import shutil

import matplotlib.font_manager

os.makedirs(matplotlib.get_cachedir(), exist_ok=True)
os.makedirs("/workspace/keep/matplotlib")
matplotlib.font_manager._load_fontmanager(try_read_cache=False)
lists = glob.glob(os.path.join(matplotlib.get_cachedir(), "fontlist-*.json"))
assert lists, "matplotlib has made no list of fonts"
for path in lists:
    shutil.copy(path, "/workspace/keep/matplotlib/")
