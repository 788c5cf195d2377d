"""Sees each change that this process makes to the files of one folder, and does something at the n-th: kill, fail, signal.

    calls = Calls(run_folder, 'kill', at=17)        # the seventeenth is the last: a write is left half done
    calls = Calls(run_folder, 'error', errno=ENOSPC, name='checkpoint/*', after=3)  # all but the first three find the disk full
    calls = Calls(run_folder, 'record'); …; calls.seen       # [Call('write', 'log', b'epoch 1 …'), …] for a model of the disk

It stands in for Python's own functions, in a process that is forked to be broken. What C code does past them (mmap, a data worker's
shared memory) is not seen; test_strace.py sees a sample of the same from outside.
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
    name: str           # open, write, truncate, fsync, replace, symlink, link, unlink, mkdir
    path: str           # below the folder; '' is the folder itself
    value: Any = None   # written bytes, the new size, the other path


class Calls:
    def __init__(self, folder, action, at=0, after=0, errno=None, name='*', without='', only=(), signal=None):
        self._folder, self._action, self._at, self._after, self._errno, self._signal = os.fspath(folder), action, at, after, errno, signal
        self._name, self._without, self._only = name, without, only
        self._paths, self._lock, self.seen, self.count = {}, threading.RLock(), [], 0
        self._install()

    def see(self, name, path, value=None, half=None):
        """One call, before it is made. half: does a half of it."""
        path = self._below(path)
        if path is None or not self._wanted(name, path):
            return
        with self._lock:
            self.count += 1
            if self._action == 'record':
                self.seen.append(Call(name, path, value))
            elif self._action == 'error' and self.count > self._after:
                raise OSError(self._errno, os.strerror(self._errno), path)
            elif self.count == self._at:
                self._strike(half)

    def _wanted(self, name, path):
        return fnmatch.fnmatch(path, self._name) and not (self._without and fnmatch.fnmatch(path, self._without)) and (not self._only or name in self._only)

    def _strike(self, half):
        if self._action == 'signal':
            os.kill(os.getpid(), self._signal)
            return
        if half:
            half()
        os.kill(os.getpid(), signal.SIGKILL)
        threading.Event().wait()

    def _below(self, path):
        """The path relative to the folder, or None for one that is elsewhere."""
        path = os.path.abspath(os.fsdecode(self._paths.get(path, '/') if isinstance(path, int) else path))
        return '' if path == self._folder else path[len(self._folder) + 1:] if path.startswith(self._folder + '/') else None

    def _install(self):
        os.open, os.close = self._opening(os.open), self._closing(os.close)
        builtins.open = io.open = _opened(self, io.open)
        for name, told in (('replace', 'replace'), ('rename', 'replace'), ('symlink', 'symlink'), ('link', 'link')):
            setattr(os, name, self._two(getattr(os, name), told))
        for name in ('unlink', 'mkdir', 'truncate', 'fsync'):
            setattr(os, name, self._one(getattr(os, name), name))
        os.ftruncate, os.remove = self._one(os.ftruncate, 'truncate'), os.unlink

    def _opening(self, real):
        def opened(path, flags, *more, **named):
            if flags & WRITING:
                self.see('open', path, bool(flags & os.O_TRUNC))
            descriptor = real(path, flags, *more, **named)
            self._paths[descriptor] = path
            return descriptor
        return opened

    def _closing(self, real):
        def closed(descriptor):
            self._paths.pop(descriptor, None)
            real(descriptor)
        return closed

    def _one(self, real, name):
        def done(path, *more, **named):
            self.see(name, path, more[0] if name == 'truncate' else None)
            return real(path, *more, **named)
        return done

    def _two(self, real, name):
        def done(one, two, **named):
            self.see(name, two, os.fspath(one) if name == 'symlink' else self._below(one))
            return real(one, two, **named)
        return done


def _opened(calls, real):
    """open() whose files tell of each write as the kernel gets it."""
    def opened(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        if not set(mode) & set('wax+') or calls._below(file) is None :
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = _Raw(calls, file, mode.replace('b', '').replace('t', ''), closefd, opener)
        buffered = raw if not buffering else io.BufferedRandom(raw) if '+' in mode else io.BufferedWriter(raw)
        return buffered if 'b' in mode else io.TextIOWrapper(buffered, encoding or 'utf-8', errors, newline)
    return opened


class _Raw(io.FileIO):
    def __init__(self, calls, file, mode, closefd, opener):
        if not isinstance(file, int) and not opener:     # os.open tells of those
            calls.see('open', file, 'w' in mode)
        super().__init__(file, mode, closefd, opener)
        self._calls = calls
        if not isinstance(file, int):
            calls._paths[self.fileno()] = file

    def write(self, data):
        data, real = bytes(data), super().write
        self._calls.see('write', self.fileno(), data, half=lambda: real(data[:len(data) // 2]))
        return real(data)

    def close(self):
        if not self.closed:
            self._calls._paths.pop(self.fileno(), None)
        super().close()
