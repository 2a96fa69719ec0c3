from celery import shared_task

from records.services import checkpoint_when_old, seal_events


@shared_task(name="records.seal_events")
def seal_open_events() -> None:
    seal_events()
    checkpoint_when_old()
