"""Numbers of a module that its results depend on and its weights do not show."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


def check_on_load(module: nn.Module, **numbers: int) -> None:
    """Saves each number with the module's state, as `checked_<name>`; `load_state_dict` then
    refuses a state that was saved with another one.

    For what follows `max_len`, such as a stride: weights of the same shapes would load into a
    module of another length and compute something else. It is no buffer, which averages and
    `to_empty` would change.
    """
    module.register_state_dict_post_hook(partial(_save, numbers))
    module.register_load_state_dict_pre_hook(partial(_compare, numbers))


def _save(
    numbers: dict[str, int],
    module: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: dict[str, Any],
) -> None:
    for name, number in numbers.items():
        state[f"{prefix}checked_{name}"] = torch.tensor(number, device="cpu")


def _compare(
    numbers: dict[str, int],
    module: nn.Module,
    state: dict[str, Tensor],
    prefix: str,
    metadata: dict[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    for name, number in numbers.items():
        saved = state.pop(f"{prefix}checked_{name}", None)  # none in a state from before there was
        if saved is not None and int(saved) != number:
            errors.append(
                f"{prefix}{type(module).__name__}: the state was saved with {name}={int(saved)}, "
                f"this module has {name}={number}; build it for the same max_len, or with "
                f"{name}={int(saved)} where that is an option"
            )
