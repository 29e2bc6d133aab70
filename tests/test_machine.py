"""What is recorded of a machine, and what is said where another one made the baseline."""

import copy
import json
import platform
from importlib.metadata import version

import pytest

from latentlab.errors import LatentlabError
from latentlab.machine import describe_machine, differences, other_bytes


@pytest.fixture
def machine():
    return describe_machine("portable")


@pytest.fixture
def elsewhere(machine):
    """The record of another machine: other versions, threads and bits."""
    other = copy.deepcopy(machine)
    other["packages"]["numpy"] = "1.0"
    other["threads"] = 48
    other["fingerprint"]["torch products"] = "0" * 16
    return other


def test_versions_are_those_installed(machine):
    assert machine["python"] == platform.python_version()
    assert machine["packages"]["torch"] == version("torch")
    assert None not in machine["packages"].values()


def test_every_difference_is_named_with_both_values(machine, elsewhere):
    assert differences(machine, machine) == []
    assert differences(elsewhere, machine) == [
        "threads: 1 instead of 48",
        f"numpy: {version('numpy')} instead of 1.0",
    ]


def test_a_baseline_of_other_bits_is_announced(machine, elsewhere, tmp_path):
    path = tmp_path / "baseline.json"
    assert other_bytes(path, "portable") is None
    path.write_text(json.dumps(machine))
    assert other_bytes(path, "portable") is None
    path.write_text(json.dumps(elsewhere))
    line = other_bytes(path, "portable")
    assert "because torch products give other bits here (threads: 1 instead of 48; " in line
    assert "\n" not in line


def test_another_version_with_the_same_bits_is_no_reason_to_speak(machine, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps(machine | {"python": "3.99", "cpu": "another"}))
    assert other_bytes(path, "portable") is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"fingerprint": 3}', '{"fingerprint": {}}'])
def test_a_damaged_record_is_named(content, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(LatentlabError, match=r"baseline\.json: .*; "):
        other_bytes(path, "portable")
