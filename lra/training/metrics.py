"""The file of a learning curve: what was logged at which step, as CSV."""

METRICS = "metrics.csv"
COLUMNS = ("step", "train.loss", "train.accuracy", "val.loss", "val.accuracy")
