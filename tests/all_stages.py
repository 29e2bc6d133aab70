"""Every stage of the pipeline, in one process and in the current folder, without DVC.

An emulated CPU takes minutes to start the stages one by one: ``python -m tests.all_stages``, with
the one model whose pictures are drawn, which is half of the work there.
"""

import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import stages  # noqa: F401  # puts the arithmetic of params.yaml in force

ONE_MODEL = "params-of-pictures.yaml"


def read_yaml(path: str) -> Any:
    return YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))


def main(pictured: str) -> None:
    params = read_yaml("params.yaml")
    YAML().dump(params | {"run_models": [pictured]}, Path(ONE_MODEL))
    for name, stage in read_yaml("dvc.yaml")["stages"].items():
        app = import_module(f"stages.{name}").app
        for model in params["run_models"] if "matrix" in stage else [None]:
            command = stage["cmd"].replace("${item}", f"--model {model}")
            assert "$" not in command, command
            arguments = shlex.split(command)[3:]
            if name == "plot":
                arguments += ["--params", ONE_MODEL]
            app(arguments, standalone_mode=False)


if __name__ == "__main__":
    main(sys.argv[1])
