"""Every stage of the pipeline, in one process and in the current folder, without DVC.

An emulated CPU takes minutes to start the stages one by one: ``python -m tests.all_stages``.
"""

import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import stages  # noqa: F401  # puts the arithmetic of params.yaml in force


def read_yaml(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))


def main() -> None:
    models = read_yaml("params.yaml")["run_models"]
    for name, stage in read_yaml("dvc.yaml")["stages"].items():
        app = import_module(f"stages.{name}").app
        for model in models if "matrix" in stage else [None]:
            command = stage["cmd"].replace("${item}", f"--model {model}")
            assert "$" not in command, command
            app(shlex.split(command)[3:], standalone_mode=False)


if __name__ == "__main__":
    main()
