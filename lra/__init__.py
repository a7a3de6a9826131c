"""Long Range Arena: its tasks, trained and measured for every attention under one protocol.

What others may build on (importing `lra` alone imports none of it, and no torch):

- `lra.tasks`: `register_task`, `get_task`, `names`; `Task`, `TaskMetadata`, `TaskSettings`, `Setup`
- `lra.protocols`: `get_protocol`, `Protocol`; `lra.settings`: `ModelSettings`, `TrainingSettings`
- `lra.results.reading.read_records`: what is on record; `lra.results.record.Record`: one run of it
- `lra.training.step.train_step`: the step that is trained and measured
- `lra.jobs`: work in a subprocess
- `lra.typed`: `frozen`, `load`

Everything else may change without notice.
"""
