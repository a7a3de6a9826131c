"""How many threads torch computes with."""


def fix_threads(count: int | None = None) -> None:
    """Makes the number of threads that torch has, or `count`, in every call the number that
    computes.

    Unless it is said explicitly, MKL may take fewer for a call, at its own discretion: another
    order of summation, and other bits.
    """
    import torch  # here, since not every process that asks for nothing has torch

    torch.set_num_threads(count or torch.get_num_threads())
