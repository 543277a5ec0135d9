"""Puts a copy of the contract into the package."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CONTRACT = Path(__file__).resolve().parents[2] / "wit" / "v1"


class WithContract(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib, "hookwright_sdk", "wit")
            shutil.copytree(CONTRACT, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": WithContract})
