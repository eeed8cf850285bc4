"""Jobs that no journal has."""

from typing import Any

from service.jobs.job import Job, Status


def running_job(job_id: str, spec: dict[str, Any], context: dict[str, Any] | None = None) -> Job:
    """A job as a runner has it after its claim."""
    return Job(
        id=job_id,
        status=Status.RUNNING,
        requested=None,
        model_name=spec["model_name"],
        spec=spec,
        context={"since": 0} | (context or {}),
        priority=0,
        created_at="",
        started_at="",
        finished_at=None,
        attempt=1,
        progress={},
        metrics={},
        result=None,
        error=None,
    )
