"""How much main memory a process may take before it gets an error, not the kernel's kill."""

import re
import resource
from pathlib import Path

SHARE = 0.95  # of what is free: the rest of the system lives, too
CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def available_memory() -> int | None:
    """Bytes that could be allocated now, in this container; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", lines, re.MULTILINE)
    amounts = [1024 * int(found[1])] if found else []
    for limit, used in CGROUPS:
        try:
            stat = Path(limit).with_name("memory.stat").read_text()
            found = re.search(r"^(?:total_)?inactive_file (\d+)", stat, re.MULTILINE)
            cache = int(found[1]) if found else 0  # given up when memory is wanted
            spent = int(Path(used).read_text()) - cache
            amounts.append(int(Path(limit).read_text()) - spent)
        except (OSError, ValueError):
            continue  # no such control group, or "max": no limit in it
    return int(SHARE * max(0, min(amounts))) if amounts else None


def limit_memory(size: int) -> None:
    """Makes allocations beyond `size` more bytes fail in this process and its children.

    The limit is on addresses: what is mapped already, libraries and threads' stacks for the most
    part, is added to it.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return  # no such file, and no dependable address-space limit, outside Linux
    soft = size + pages * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or soft < hard:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
