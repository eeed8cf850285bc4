"""A job as the API shows it, to those who ask and to receivers of webhooks. Knows no HTTP."""

from typing import Any

from service.jobs.job import Job


def document(job: Job) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": job.id,
        "status": job.status,
        "requested": job.requested,
        "model_name": job.model_name,
        "spec": job.spec,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "attempt": job.attempt,
        "progress": job.progress,
        "metrics": job.metrics,
        "result": job.result,
        "error": job.error,
    }
