"""What runs behind the queue: handlers of jobs, and the Celery application that starts them."""
