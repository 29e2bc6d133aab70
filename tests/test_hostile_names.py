"""The name of a model is never text of a shell, even where `check` has not seen it."""

import re

import pytest
import yaml
from ruamel.yaml import YAML

from latentlab.errors import LatentlabError
from latentlab.params import check_model_name
from tests.checkout import copy_of_checkout, shell
from tests.conftest import ROOT

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
NAMES = (
    "vae; touch pwned; #",
    "a' ; touch pwned; '",
    '" ; touch pwned; "',
    "'\"'\"'; touch pwned; #",
    "\\'; touch pwned; #",
    "$(touch pwned)",
    "`touch pwned`",
    "a b & touch pwned",
    "a\ntouch pwned\n",
    "a'\ntouch pwned #",
    "a'; true #\ntouch pwned #",
    "--help' #\ntouch pwned #",
    "$(touch${IFS}pwned)",
)


@pytest.mark.parametrize("stage", STAGES)
def test_no_command_holds_a_name_that_dvc_does_not_quote(stage):
    placeholders = re.findall(r"\$\{.*?\}", STAGES[stage]["cmd"])
    assert placeholders == (["${item}"] if "matrix" in STAGES[stage] else [])


@pytest.mark.parametrize("name", [*NAMES, "", "Vae", "../vae", "a" * 65, "vae\n", "reference"])
def test_a_stage_refuses_a_name_that_params_could_not_hold(name):
    with pytest.raises(LatentlabError, match=r"^--model: .*name.*"):
        check_model_name(name)


@pytest.mark.slow
def test_dvc_executes_no_name(tmp_path, edit_params, environment):
    """A single stage, so that `check` does not run."""
    copy_of_checkout(tmp_path)
    values = edit_params({"run_models": list(NAMES)})
    values["models"] = dict.fromkeys(NAMES, values["models"]["vae"])
    with (tmp_path / "params.yaml").open("w") as file:
        YAML().dump(values, file)
    for split in ("train", "validation"):
        folder = tmp_path / "data/processed" / split
        folder.mkdir(parents=True)
        (folder / "images.npy").write_text(split)
    command = ("dvc", "repro", "--keep-going", "--single-item", "train")
    told = shell(*command, cwd=tmp_path, environment=environment)
    assert told.returncode != 0
    assert not list(tmp_path.rglob("pwned"))
    # Each stage was started, and refused the names; the shell refuses half a name.
    assert told.stdout.count("Running stage") == len(NAMES)
    assert told.stderr.count("error: --model: found") == sum("\n" not in name for name in NAMES)
    assert "Traceback" not in told.stderr
