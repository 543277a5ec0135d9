"""Makes a component of a plugin in Python: hookwright-componentize [FOLDER] [--output FILE]"""

import argparse
import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
APP = "hookwright_app"


def main() -> int:
    parser = argparse.ArgumentParser(prog="hookwright-componentize", description="Makes a component of a plugin in Python")
    parser.add_argument("folder", nargs="?", default=".", type=Path, help="folder with plugin.toml and src/plugin.py")
    parser.add_argument("--output", type=Path, help="where the component goes [default: target/component.wasm in the folder]")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    output: Path = arguments.output or folder / "target" / "component.wasm"
    for file in (folder / "plugin.toml", folder / "src" / "plugin.py"):
        if not file.is_file():
            print(f"hookwright-componentize: {file} is missing", file=sys.stderr)
            return 1
    # What reads answers may also remember them.
    reads = re.search(r"^\s*\[interpreter\]", (folder / "plugin.toml").read_text(encoding="utf-8"), re.MULTILINE)
    output.parent.mkdir(parents=True, exist_ok=True)
    return _componentize(folder / "src", output, bool(reads))


def _componentize(sources: Path, output: Path, reads: bool) -> int:
    world, classes = ("plugin-interpreting", "Interpreter, Transformer") if reads else ("plugin", "Transformer")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, f"{APP}.py").write_text(f"from hookwright_sdk.guest import {classes}\n", encoding="utf-8")
        # The plugin's own modules first; packages that are installed beside this one can be used too.
        paths = [sources, Path(folder), HERE.parent]
        command = [Path(sysconfig.get_path("scripts"), "componentize-py"), "--quiet", "--wit-path", _contract(), "--world", world]
        command += ["componentize", APP, "--output", output]
        command += [part for path in paths for part in ("--python-path", path)]
        done = subprocess.run(list(map(str, command)), check=False, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode == 0:
        print(f"{output} ({output.stat().st_size} bytes)")
    else:
        print(f"hookwright-componentize: {_said(done.stderr)}", file=sys.stderr)
    return done.returncode


def _said(text: str) -> str:
    """What the author can mend, with the place in their own files: ``src/plugin.py:2: NameError: …``."""
    # The first of the folders that are given is the author's.
    places = re.findall(r'File "/0/(.+?)", line (\d+)', text)
    found = re.findall(r"^(\w+(?:\.\w+)*(?:Error|Exception|Failure)(?:: .*)?)$", text, re.MULTILINE)
    # The compiler's own is about the traceback that it shows.
    errors = [error for error in found if not error.endswith(": Traceback (most recent call last):")]
    if not errors:
        return text.strip()
    if not places:
        return errors[0]
    file, line = places[-1]
    return f"src/{file}:{line}: {errors[0]}"


def _contract() -> Path:
    """The contract: a copy of it in an installed package, the project's own in its sources."""
    copy = HERE / "wit"
    return copy if copy.is_dir() else HERE.parents[2] / "wit" / "v1"


if __name__ == "__main__":
    sys.exit(main())
