"""The Slurm profile on a real Slurm: one node on this machine, with jobs and the controller killed."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.workflow import test_workflow
from tests.workflow.test_workflow import CONFIG, Checkout, matches, wait_for_new

finished = test_workflow.finished  # the same workflow without Slurm, run once for all tests

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
MISSING = [name for name in NEEDED if shutil.which(name, path=PATH) is None]

# Memory and processors are not those of this machine: the profile asks for 16 GB, and nothing enforces it.
SETTINGS = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MinJobAge=3600
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """Slurm with one node, reachable from this machine alone, in a temporary folder."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))  # a short path: sockets take 107 characters
        settings, programs = self.folder / "slurm.conf", self.folder / "programs"
        self.environment = {"PATH": os.pathsep.join([str(programs), PATH]), "SLURM_CONF": str(settings)}
        self.daemons = {}
        for name in ("state", "spool", "programs"):
            (self.folder / name).mkdir()
        # Inside a job Snakemake calls srun without SLURM_CONF; real clusters have it in /etc.
        srun = programs / "srun"
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={settings} exec {shutil.which("srun", path=PATH)} "$@"\n')
        srun.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(0o600)
        key.write_bytes(os.urandom(128))
        settings.write_text(
            SETTINGS.format(
                folder=self.folder,
                user=getpass.getuser(),
                host=socket.gethostname().partition(".")[0],
                controller_port=free_port(),
                node_port=free_port(),
            )
        )

    def start(self):
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        munge = [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in files.items()]
        self.start_daemon("munged", "--foreground", "--force", *munge)
        self.wait_until((self.folder / "munge.socket").exists, "munged has no socket")
        self.start_daemon("slurmctld", "-D")
        self.start_daemon("slurmd", "-D")
        self.wait_until(lambda: "idle" in self.ask("sinfo", "--noheader"), "the node is not idle")

    def start_daemon(self, name, *arguments):
        with (self.folder / f"{name}.log").open("a") as log:
            self.daemons[name] = subprocess.Popen(
                [name, *arguments], env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def wait_until(self, is_true, complaint):
        deadline = time.monotonic() + 60
        while not is_true():
            if time.monotonic() > deadline:
                logs = "".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))
                raise AssertionError(f"{complaint}:\n{logs}")
            time.sleep(0.2)

    def ask(self, *command):
        """What a command of Slurm prints; empty where it fails."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    def jobs(self, state):
        return self.ask("squeue", "--noheader", "--states", state, "--format", "%i").split()

    def kill_controller(self):
        self.daemons["slurmctld"].kill()
        self.daemons["slurmctld"].wait()

    def stop(self):
        self.ask("scancel", "--user", getpass.getuser())
        deadline = time.monotonic() + 60
        while self.jobs("RUNNING,COMPLETING") and time.monotonic() < deadline:
            time.sleep(0.2)
        for daemon in reversed(self.daemons.values()):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder)


@pytest.fixture
def cluster():
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} not installed: on Debian, apt-get install slurm-wlm munge")
    pytest.importorskip("snakemake_executor_plugin_slurm")
    if "BLINDBENCH_SLURM" not in os.environ:
        pytest.skip("it takes minutes: BLINDBENCH_SLURM=1 runs it")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class SlurmCheckout(Checkout):
    """A checkout whose jobs go to a cluster."""

    python = sys.executable

    def __init__(self, root, cluster):
        super().__init__(root)
        self.environment |= cluster.environment

    def command(self, *arguments, config=CONFIG):
        # A cluster without an accounting database has no sacct; the default looks at jobs every 40 seconds.
        asked = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2")
        profile = ("--profile", "workflow/profiles/slurm")
        return ["-m", "snakemake", *profile, *arguments, "--configfile", str(config), *asked]


def test_killed_jobs_a_killed_controller_and_a_killed_snakemake_end_in_the_same_tables(
    finished, cluster, tmp_path
):
    checkout = SlurmCheckout(tmp_path, cluster)
    begun = "restorations/*/selfdeblur/seed*/{}/checkpoint.pt"
    process = checkout.start()
    try:
        assert wait_for_new(begun.format("camera"), checkout.results, process, known=set())
        running = cluster.jobs("RUNNING")
        assert running
        cluster.ask("scancel", *running)
        cluster.wait_until(lambda: set(running) <= set(cluster.jobs("CANCELLED")), "no job was cancelled")

        assert wait_for_new(begun.format("astronaut"), checkout.results, process, known=set())
        cluster.kill_controller()
        assert not cluster.jobs("all")  # nobody answers
        time.sleep(3)
        cluster.start_daemon("slurmctld", "-D")

        known = matches(checkout.results, "scores/*/*.csv")
        assert wait_for_new("scores/*/*.csv", checkout.results, process, known)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = checkout.run("tables")
    assert done.returncode == 0, done.stderr
    assert checkout.tables() == finished.tables()
    again = checkout.run("tables")
    assert "Nothing to be done" in again.stdout + again.stderr
