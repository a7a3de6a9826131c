"""A saved model of transformers, with what was put into it."""

from typing import Any

from attention_zoo import UsageError
from gfsa.adapters.apply import apply_attention, apply_gfsa


def from_pretrained(cls: Any, path: Any, **options: Any) -> Any:
    """`cls.from_pretrained(path, **options)` of a model that `apply_gfsa` or `apply_attention`
    changed before it was saved, changed again as its config says before its weights are loaded.
    Without this, transformers loads the unchanged model and names the weights it leaves out.

    Args:
        cls: a class of a model, or an Auto class.
        path: a folder that `save_pretrained` wrote, or a name on a hub.
        options: of transformers' `from_pretrained`.

    Raises UsageError for a model that was not changed, or that was saved without its new weights.
    """
    from transformers import AutoConfig

    from gfsa.adapters.huggingface.adapter import PLACE

    config = options.pop("config", None) or AutoConfig.from_pretrained(path)
    settings: Any = getattr(config, "gfsa", None)
    if not settings:
        raise UsageError(
            f"{path}: its config has no entry 'gfsa': use {cls.__name__}.from_pretrained"
        )
    model_cls = cls if hasattr(cls, "config_class") else cls._model_mapping[type(config)]

    change: Any = apply_gfsa if "filter" in settings else apply_attention

    def changed(self: Any, *arguments: Any, **further: Any) -> None:
        model_cls.__init__(self, *arguments, **further)
        change(self, **settings)

    names = {"__init__": changed, "__module__": model_cls.__module__}
    changed_cls: Any = type(model_cls.__name__, (model_cls,), names)
    wanted = options.pop("output_loading_info", False)
    model, info = changed_cls.from_pretrained(
        path, config=config, output_loading_info=True, **options
    )
    if missing := sorted(key for key in info["missing_keys"] if f".{PLACE}." in key):
        raise UsageError(f"{path}: its config has an entry 'gfsa', but no weights {missing[0]}")
    model.__class__ = model_cls
    return (model, info) if wanted else model
