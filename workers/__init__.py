"""What runs behind the queue: handlers of jobs, the relay, the Celery application."""
