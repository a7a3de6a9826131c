"""What training logs: a learning curve as CSV, and TensorBoard's folder where it was asked for."""

METRICS, TENSORBOARD = "metrics.csv", "tensorboard"
COLUMNS = ("step", "train.loss", "train.accuracy", "val.loss", "val.accuracy")
