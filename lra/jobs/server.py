"""Imported first by the process that jobs are forked from."""

import ctypes
import gc
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl.h

signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's is for the command
if sys.platform == "linux":  # so that a command that is refused does not leave it importing
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
gc.disable()  # what modules make is no garbage; lra.jobs.child turns it on again
