"""A real Slurm for tests: one controller and two nodes on this machine, on loopback alone.

It has a munge of its own; nothing in /etc is read.

    with Slurm(folder) as slurm:
        project.env |= slurm.env
        project.tagrun('run', 't1', '--on', 'slurm')

`apt-get install slurm-wlm munge` brings the daemons, and root must start them. They get a host name
that resolves, localhost, in a namespace of their own. No cgroups, no accounting, no systemd: what
Slurm does with those is not tested.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

NEEDED = ('slurmctld', 'slurmd', 'sbatch', 'munged', 'unshare')
PLACES = os.pathsep.join([os.environ.get('PATH', ''), '/usr/sbin'])  # where Debian puts daemons
NODE = 'NodeHostname=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN'
CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0,bf_interval=1
KillWait=20
MailProg=/bin/true
NodeName=n1 Port={ports[1]} {node}
NodeName=n2 Port={ports[2]} {node}
PartitionName=low Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=high Nodes=n1,n2 MaxTime=INFINITE State=UP PriorityTier=10
"""


def why_not():
    """What is missing for a real Slurm here, or ''."""
    absent = [name for name in NEEDED if not shutil.which(name, path=PLACES)]
    if absent:
        return f'{", ".join(absent)} not installed: apt-get install slurm-wlm munge'
    if os.getuid():
        return 'only root can start slurmd and munged'
    alone = subprocess.run(
        ['unshare', '--uts', 'hostname', 'localhost'], capture_output=True, text=True
    )
    return f'no host name of its own: {alone.stderr.strip()}' if alone.returncode else ''


class Slurm:
    def __init__(self, folder):
        self.folder, self._daemons = Path(folder), []
        self.env = {'SLURM_CONF': str(self.folder / 'slurm.conf')}

    def __enter__(self):
        (self.folder / 'state').mkdir(parents=True)
        (self.folder / 'slurm.conf').write_text(
            CONF.format(folder=self.folder, ports=_free_ports(3), node=NODE)
        )
        (self.folder / 'munge.key').write_bytes(os.urandom(128))
        (self.folder / 'munge.key').chmod(0o600)
        own = [
            f'--{name}-file={self.folder}/munge.{name}' for name in ('key', 'pid', 'log', 'seed')
        ]
        self._start(
            'munged', '--foreground', '--force', f'--socket={self.folder}/munge.socket', *own
        )
        _wait((self.folder / 'munge.socket').exists)
        self._start('slurmctld', '-D')
        for node in ('n1', 'n2'):
            self._start('slurmd', '-D', '-N', node)
        _wait(lambda: self.ask('sinfo', '-h', '-o', '%T %D') == 'idle 2')
        return self

    def __exit__(self, *_):
        """Cancel what is there, end the daemons."""
        self.ask('scancel', '--me')
        try:
            _wait(lambda: not self.ask('squeue', '-h'), 30)
        finally:
            for daemon in reversed(self._daemons):
                daemon.send_signal(signal.SIGTERM)
            for daemon in self._daemons:
                try:
                    daemon.wait(10)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()

    def ask(self, *words):
        """What a command of Slurm's prints."""
        return subprocess.run(
            words, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=30
        ).stdout.strip()

    def _start(self, name, *words):
        with open(self.folder / f'{name}.out', 'ab') as out:
            self._daemons.append(
                subprocess.Popen(
                    [
                        'unshare',
                        '--uts',
                        'sh',
                        '-c',
                        'hostname localhost; exec "$0" "$@"',
                        name,
                        *words,
                    ],
                    stdout=out,
                    stderr=out,
                    env={**os.environ, **self.env, 'PATH': PLACES},
                    start_new_session=True,
                )
            )


def _free_ports(count):
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _wait(condition, timeout_s=60):
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(
                'Slurm does not come up, or does not come to an end: see the .out files '
                'in its folder'
            )
        time.sleep(0.05)
