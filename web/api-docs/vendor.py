#!/usr/bin/python3
"""vendor.py [--check | --lock]: make dist/ from src/ and the npm packages that packages.json names.

The pages at /docs and /redoc need only a few files of two large packages, so these are kept in the
tree and a machine that runs the service needs no npm. --check proves dist/ equal to them instead of
writing it. For another version change it in packages.json and run this with --lock, which takes the
checksum that the registry gives instead of insisting on the one that is there.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIST = HERE / "dist"
PACKAGES = HERE / "packages.json"


def package_files(name: str, package: dict, lock: bool, folder: str) -> dict[str, bytes]:
    """The wanted files of one package by their names in dist/."""
    packed = subprocess.run(
        ["npm", "pack", "--silent", f"{name}@{package['version']}"],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    archive = Path(folder) / packed.stdout.split()[-1]
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if lock:
        package["integrity"] = found
    elif found != package["integrity"]:
        sys.exit(f"{name} {package['version']} has the checksum {found}, not the one in packages.json")
    with tarfile.open(archive) as tar:
        members = {target: tar.extractfile(f"package/{source}") for source, target in package["files"].items()}
        return {target: member.read() for target, member in members.items()}


def main() -> int:
    arguments = sys.argv[1:]
    if arguments not in ([], ["--check"], ["--lock"]):
        sys.exit(__doc__)
    packages = json.loads(PACKAGES.read_text())
    wanted = {path.name: path.read_bytes() for path in (HERE / "src").iterdir()}
    with tempfile.TemporaryDirectory() as folder:
        for name, package in packages.items():
            wanted.update(package_files(name, package, arguments == ["--lock"], folder))
    if arguments == ["--check"]:
        there = {path.name: path.read_bytes() for path in DIST.iterdir()}
        differing = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        for name in differing:
            print(f"web/api-docs/dist/{name} is not what vendor.py makes", file=sys.stderr)
        return 1 if differing else 0
    DIST.mkdir(exist_ok=True)
    for path in DIST.iterdir():
        path.unlink()
    for name, content in wanted.items():
        (DIST / name).write_bytes(content)
    PACKAGES.write_text(json.dumps(packages, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
