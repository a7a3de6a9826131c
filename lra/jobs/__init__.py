"""Work in another process: a request, what is told on the way, a result or how it failed.

A job is a function (request, port) → result, named "module:function". Requests, what is told and
results are JSON or dataclasses of such values. `lra.jobs.local.launch` starts one on this machine;
whatever else starts jobs is a function like it, from a Work to a Process of `lra.jobs.work`.
"""
