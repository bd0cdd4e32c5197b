"""Sessions run the account's login shell, and what its start-up files do is no part of a test: a file
that takes a lock keeps it for good when a test ends the session in its middle, and then every shell
after it waits for that lock. So they are hidden, where the system permits: root may have a view of the
file system of its own.
"""

import ctypes
import os
import pathlib
import pwd

NAMES = (".bashrc", ".bash_profile", ".bash_login", ".profile", ".zshenv", ".zshrc", ".zprofile", ".kshrc", ".cshrc", ".login")
CLONE_NEWNS = 0x00020000  # linux/sched.h
MS_BIND, MS_REC, MS_SLAVE = 0x1000, 0x4000, 0x80000  # linux/mount.h


def _mount(source, target, flags):
    if ctypes.CDLL(None, use_errno=True).mount(source, target, None, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), "mount", target)


def hide():
    """Binds nothing over the account's start-up files, for this process and those it starts. Says whether it could."""
    home = pathlib.Path(pwd.getpwuid(os.getuid()).pw_dir)
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            return False  # not root, or a container that forbids it
        _mount(b"none", b"/", MS_REC | MS_SLAVE)
        for path in (home / name for name in NAMES):
            if path.is_file():
                _mount(b"/dev/null", os.fsencode(path), MS_BIND)
        return True
    except OSError:
        return False
