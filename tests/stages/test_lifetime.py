"""How a stage ends: with the DVC that started it, and with one line for Ctrl-C."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stages.lifetime import LINE
from tests.conftest import ROOT

# Stands in front of a module that stages import, and takes long to load.
SLOW_IMPORT = """
import time
print("loading", flush=True)
time.sleep(60)
"""


@pytest.fixture
def slow_import(tmp_path, environment):
    """The environment of a stage that has not got through its imports after a minute."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/typer.py").write_text(SLOW_IMPORT)
    return environment | {"PYTHONPATH": str(tmp_path / "modules")}


@pytest.fixture
def start():
    """Starts processes in groups of their own, of which nothing is left after the test."""
    started = []

    def new(*command, env):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield new
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def is_running(process):
    """Whether a process runs; not one that has ended and waits for its parent."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def ends_soon(process, seconds=5.0):
    deadline = time.monotonic() + seconds
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_running(process)


# Ctrl-C


@pytest.mark.parametrize("stage", ["check", "train"])
def test_an_interrupt_during_imports_is_one_line(start, stage, slow_import):
    process = start(sys.executable, "-m", f"stages.{stage}", env=slow_import)
    assert process.stdout.readline() == "loading\n"
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    assert (output, errors, process.returncode) == ("", f"{LINE}\n", 130)


INTERRUPTED = """
import sys, time
from contextlib import closing
from pathlib import Path
import stages
from stages import lifetime
from latentlab.engine.base import Setup
from latentlab.engine.pool import PoolEngine
from latentlab.files import replacing

app = stages.new_app()

@app.command()
def main(how: str, output: Path) -> None:
    with replacing(output) as temporary:
        temporary.mkdir()
        (temporary / "half").touch()
        if how == "workers":
            with closing(PoolEngine(2, Setup())) as pool:
                for done, _ in enumerate(pool.map(time.sleep, [0.5] * 200)):
                    if done == 2:
                        print("writing", flush=True)
        try:
            print("writing", flush=True)
            time.sleep(60)
        except BaseException:
            if how == "compiled":
                raise ImportError("initialization failed")
            raise

stages.run(app)
"""


@pytest.mark.parametrize("how", ["python", "compiled", "workers"])
def test_an_interrupt_later_is_one_line_and_leaves_nothing(start, how, tmp_path, environment):
    """Also where an extension makes another error of it, and where a pool of workers is busy."""
    output = tmp_path / "output"
    output.mkdir()
    (output / "old").touch()
    process = start(sys.executable, "-c", INTERRUPTED, how, output, env=environment)
    assert process.stdout.readline() == "writing\n"
    os.killpg(process.pid, signal.SIGINT)
    printed, errors = process.communicate(timeout=20)
    assert (printed, errors, process.returncode) == ("", f"{LINE}\n", 130)
    assert [path.name for path in tmp_path.rglob("*")] == ["output", "old"]


def test_a_second_interrupt_does_not_wait(start, tmp_path, environment):
    slow = INTERRUPTED.replace('raise ImportError("initialization failed")', "time.sleep(60)")
    process = start(sys.executable, "-c", slow, "compiled", tmp_path / "output", env=environment)
    assert process.stdout.readline() == "writing\n"
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert (errors, process.returncode) == (f"{LINE}\n", 130)


def test_a_program_that_imports_a_stage_keeps_its_handler(environment):
    script = "import signal; b = signal.getsignal(2); import stages.check as _; import sys"
    script += "; sys.exit(b is not signal.getsignal(2))"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, check=True)


# The end of the parent


# Starts a command as DVC does, tells its process, and waits.
PARENT = """
import os, subprocess, sys
shell = sys.argv[1]
process = subprocess.Popen([shell, "-c", sys.argv[2]])
print(process.pid, flush=True)
process.wait()
"""


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_a_stage_ends_when_dvc_is_killed(start, shell, slow_import):
    """During its imports; the shell between both has become the stage itself."""
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    stage = f"{shlex.quote(sys.executable)} -m stages.train"
    env = slow_import | {"DVC_STAGE": "train@vae"}
    dvc = start(sys.executable, "-c", PARENT, shell, stage, env=env)
    child = int(dvc.stdout.readline())
    assert dvc.stdout.readline() == "loading\n"
    assert is_running(child)
    dvc.kill()
    assert ends_soon(child)


def test_a_stage_started_by_hand_outlives_the_shell(start, slow_import):
    """As with `nohup`."""
    stage = f"exec {shlex.quote(sys.executable)} -m stages.train"
    env = {key: value for key, value in slow_import.items() if key != "DVC_STAGE"}
    shell = start(sys.executable, "-c", PARENT, "sh", stage, env=env)
    child = int(shell.stdout.readline())
    assert shell.stdout.readline() == "loading\n"
    shell.kill()
    try:
        assert not ends_soon(child, 1.0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_stage_whose_dvc_was_killed_before_it_looked_ends(start, slow_import):
    """Its parent is of another process group, as the one is that gets orphans."""
    env = slow_import | {"DVC_STAGE": "train@vae"}
    process = start(sys.executable, "-m", "stages.train", env=env)
    output, errors = process.communicate(timeout=10)
    assert (output, errors, process.returncode) == ("", "", 1)


WORKERS = """
import multiprocessing, os, sys, time
from concurrent.futures import ProcessPoolExecutor
from latentlab.processes import start_worker

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
    with ProcessPoolExecutor(2, mp_context=context, initializer=start_worker) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(20)}, flush=True)
        pool.submit(time.sleep, 60)
        time.sleep(60)
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_end_when_the_stage_is_killed(start, method, tmp_path, environment):
    """Those that are at work, and those that wait."""
    (tmp_path / "program.py").write_text(WORKERS)
    env = environment | {"PYTHONPATH": str(ROOT / "src")}
    program = start(sys.executable, tmp_path / "program.py", method, env=env)
    workers = [int(word) for word in program.stdout.readline().split()]
    assert workers
    program.kill()
    assert all(ends_soon(worker) for worker in workers)
