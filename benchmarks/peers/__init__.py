"""The training step here beside that of other code for Long Range Arena, on the same batches."""
