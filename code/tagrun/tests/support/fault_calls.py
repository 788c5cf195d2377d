"""Watch each change that this process makes to the files of one folder; break it at the n-th.

    # the seventeenth call is the last: a write is left half done
    calls = Calls(run_folder, 'kill', at=17)
    # for all but the first three calls the disk is full
    calls = Calls(run_folder, 'error', errno=ENOSPC, name='checkpoint/*', after=3)
    # [Call('write', 'log', b'epoch 1 …'), …], for a model of the disk
    calls = Calls(run_folder, 'record'); …; calls.recorded

It stands in for Python's own functions, in a process that is forked to be broken. What C code does
past them (mmap, a data worker's shared memory) is not seen; test_strace.py sees a sample of the
same from outside.
"""

import builtins
import fnmatch
import io
import os
import signal
import threading
from typing import Any, NamedTuple

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Call(NamedTuple):
    """name: open, write, truncate, fsync, replace, symlink, link, unlink, mkdir,
    rmdir or chmod.

    path: below the folder; '' is the folder itself. value: the written bytes, the new size, or the
    other path.
    """

    name: str
    path: str
    value: Any = None


class Calls:
    def __init__(
        self, folder, action, at=0, after=0, errno=None, name='*', without='', only=(), signal=None
    ):
        self._folder, self._action = os.fspath(folder), action
        self._at, self._after = at, after
        self._errno, self._signal = errno, signal
        self._name, self._without, self._only = name, without, only
        self._paths, self._lock = {}, threading.RLock()
        self.recorded, self.count = [], 0
        self._install()

    def watch(self, name, path, value=None, half=None):
        """Note one call before it is made, and break it if it is the one. half: does half of it."""
        path = self.below(path)
        if path is None or not self._is_watched(name, path):
            return
        with self._lock:
            self.count += 1
            if self._action == 'record':
                self.recorded.append(Call(name, path, value))
            elif self._action == 'error' and self.count > self._after:
                raise OSError(self._errno, os.strerror(self._errno), path)
            elif self.count == self._at:
                self._strike(half)

    def _is_watched(self, name, path):
        return (
            fnmatch.fnmatch(path, self._name)
            and not (self._without and fnmatch.fnmatch(path, self._without))
            and (not self._only or name in self._only)
        )

    def _strike(self, half):
        if self._action == 'signal':
            os.kill(os.getpid(), self._signal)
            return
        if half:
            half()
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()

    def below(self, path):
        """Return the path relative to the folder, or None for one that is elsewhere."""
        if isinstance(path, int):
            path = self._paths.get(path, '/')
        path = os.path.abspath(os.fsdecode(path))
        if path == self._folder:
            return ''
        if path.startswith(self._folder + '/'):
            return path[len(self._folder) + 1 :]
        return None

    def _whole(self, path, folder):
        """Return the path of a name in a folder that is open as a descriptor."""
        if folder is None:
            return path
        return os.path.join(os.fsdecode(self._paths.get(folder, '/')), os.fsdecode(path))

    def opened(self, descriptor, path):
        """Remember which file a descriptor is."""
        self._paths[descriptor] = path

    def closed(self, descriptor):
        self._paths.pop(descriptor, None)

    def _install(self):
        os.open, os.close = self._opening(os.open), self._closing(os.close)
        builtins.open = io.open = _opened(self, io.open)
        os.replace, os.rename = self._two(os.replace, 'replace'), self._two(os.rename, 'replace')
        os.symlink, os.link = self._two(os.symlink, 'symlink'), self._two(os.link, 'link')
        for name in ('unlink', 'mkdir', 'rmdir', 'chmod', 'truncate', 'fsync'):
            setattr(os, name, self._one(getattr(os, name), name))
        os.ftruncate, os.remove = self._one(os.ftruncate, 'truncate'), os.unlink

    def _opening(self, real):
        def opened(path, flags, *more, **named):
            whole = self._whole(path, named.get('dir_fd'))
            if flags & WRITING:
                self.watch('open', whole, bool(flags & os.O_TRUNC))
            descriptor = real(path, flags, *more, **named)
            self.opened(descriptor, whole)
            return descriptor

        return opened

    def _closing(self, real):
        def closed(descriptor):
            self.closed(descriptor)
            real(descriptor)

        return closed

    def _one(self, real, name):
        def done(path, *more, **named):
            whole = self._whole(path, named.get('dir_fd'))
            self.watch(name, whole, more[0] if name == 'truncate' else None)
            return real(path, *more, **named)

        return done

    def _two(self, real, name):
        def done(one, two, **named):
            whole = self._whole(two, named.get('dst_dir_fd', named.get('dir_fd')))
            before = self._whole(one, named.get('src_dir_fd'))
            self.watch(name, whole, os.fspath(one) if name == 'symlink' else self.below(before))
            return real(one, two, **named)

        return done


def _opened(calls, real):
    """Return an open() whose files report each write as the kernel gets it."""

    def opened(
        file,
        mode='r',
        buffering=-1,
        encoding=None,
        errors=None,
        newline=None,
        closefd=True,
        opener=None,
    ):
        if not set(mode) & set('wax+') or calls.below(file) is None:
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _Raw(calls, file, mode.replace('b', '').replace('t', ''), closefd, opener)
        if not buffering:
            return raw
        buffered = io.BufferedRandom(raw) if '+' in mode else io.BufferedWriter(raw)
        if 'b' in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding or 'utf-8', errors, newline)

    return opened


class _Raw(io.FileIO):
    def __init__(self, calls, file, mode, closefd, opener):
        # os.open reports the others
        if not isinstance(file, int) and not opener:
            calls.watch('open', file, 'w' in mode)
        super().__init__(file, mode, closefd, opener)
        self._calls = calls
        if not isinstance(file, int):
            calls.opened(self.fileno(), file)

    def write(self, data):
        data, real = bytes(data), super().write
        self._calls.watch('write', self.fileno(), data, half=lambda: real(data[: len(data) // 2]))
        return real(data)

    def close(self):
        if not self.closed:
            self._calls.closed(self.fileno())
        super().close()
