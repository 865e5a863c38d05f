"""From approved ideas to orders and positions."""

from typing import Any

from backend.celery_app import desk_task
from backend.services import services


@desk_task(queue="orders", deadline=60)
def expire_ideas() -> dict[str, Any]:
    """Expire ideas that nobody approved in time, and give approved ones that wait to the sender again."""
    return services().idea_desk.expire()
