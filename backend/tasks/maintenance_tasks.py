"""Upkeep and health. With `dry_run` upkeep tells what it would do, and does nothing."""

from typing import Any

from backend.celery_app import desk_task
from backend.services import services

_DAYS = {"days_to_keep": (1, 3650)}


@desk_task(queue="maintenance", bounds=_DAYS)
def cleanup_old_logs(days_to_keep: int = 30, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove log files older than that many days."""
    return services().maintenance.cleanup_logs(days_to_keep, dry_run=dry_run)


@desk_task(queue="maintenance", bounds=_DAYS)
def cleanup_cache(days_to_keep: int = 7, *, dry_run: bool = False) -> dict[str, Any]:
    """Remove cache files older than that many days."""
    return services().maintenance.cleanup_cache(days_to_keep, dry_run=dry_run)


@desk_task(queue="maintenance", bounds=_DAYS)
def archive_old_trades(days_to_keep: int = 90, *, dry_run: bool = False) -> dict[str, Any]:
    """Move trade logs older than that many days to the archive."""
    return services().maintenance.archive_trades(days_to_keep, dry_run=dry_run)


@desk_task(queue="monitoring", deadline=60)
def system_health_check() -> dict[str, Any]:
    """Check terminal, broker, workers, beat, disk, logs, cache and the freshness of data."""
    return services().health.check()


@desk_task(queue="maintenance", deadline=900)
def optimize_csv_files(*, dry_run: bool = False) -> dict[str, Any]:
    """Sort, deduplicate, validate and compact the CSV files."""
    return services().maintenance.optimize_csv(dry_run=dry_run)
