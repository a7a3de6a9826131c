"""How many threads torch computes with."""

import torch


def fix_threads() -> None:
    """Makes the number of threads that torch has, in every call, the number that computes.

    Unless it is said explicitly, MKL may take fewer for a call, at its own discretion: another
    order of summation, and other bits.
    """
    torch.set_num_threads(torch.get_num_threads())
