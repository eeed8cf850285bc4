"""A job as the API shows it, to those who ask and to receivers of webhooks. Knows no HTTP."""

from typing import Any

from service.jobs.job import Job
from service.jobs.records import has_digest, outline


def document(job: Job) -> dict[str, Any]:
    """A job as the API shows it; without the records of its spec where these were not read."""
    return {
        "id": job.id,
        "status": job.status,
        "requested": job.requested,
        "model_name": job.model_name,
        "spec": outline(job.spec) if has_digest(job) else job.spec,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "attempt": job.attempt,
        "progress": job.progress,
        "metrics": job.metrics,
        "result": job.result,
        "error": job.error,
    }
