import pytest


@pytest.mark.django_db
def test_the_process_answers_without_asking_anyone(client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}


@pytest.mark.django_db
def test_metrics_count_jobs_by_queue(client):
    text = client.get("/metrics").content.decode()
    assert 'vigil_jobs{queue="inference",status="queued"} 0.0' in text


@pytest.mark.django_db
def test_the_description_of_the_interface_is_valid_openapi(client):
    description = client.get("/api/v1/openapi.json").json()
    assert description["openapi"].startswith("3.")
