"""Jobs: an `execute`, or an export, that takes long, with progress, checkpoints, pause, resume and cancel.

The job: rows that outlive the host (`store`), one run of a job (`run`), all jobs of a host (`jobs`). A job runs on an
instance of its own, beside its module's: messages do not wait for it, and what ends it ends nothing else.

Not its job: messages (`meldpy.host.lifecycle`), bars on terminals (`meldpy.cli.host`).
"""
