"""Work beside others, or alone."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.operations.crew import Crew

THREADS = 6


def test_nobody_works_beside_one_who_is_alone_and_others_work_together() -> None:
    crew, lock = Crew(), threading.Lock()
    at_work: list[bool] = []  # of each, whether it is alone
    most = 0

    def work(seed: int) -> None:
        nonlocal most
        chance = random.Random(seed)
        for _ in range(40):
            alone = chance.random() < 0.2
            with crew.alone() if alone else crew.beside():
                with lock:
                    at_work.append(alone)
                    most = max(most, len(at_work))
                    assert len(at_work) == 1 or not any(at_work)
                time.sleep(chance.random() / 500)
                with lock:
                    at_work.remove(alone)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    assert most > 1


def test_who_wants_to_be_alone_waits_only_for_those_who_have_begun() -> None:
    crew, order = Crew(), list[str]()
    begun = threading.Event()

    def alone() -> None:
        begun.set()
        with crew.alone():
            order.append("alone")

    def late() -> None:
        with crew.beside():
            order.append("late")

    with crew.beside():
        first = threading.Thread(target=alone)
        first.start()
        begun.wait()
        time.sleep(0.05)
        second = threading.Thread(target=late)
        second.start()
        time.sleep(0.05)
        assert order == []
    first.join()
    second.join()
    assert order == ["alone", "late"]


def test_one_who_fails_leaves_the_others_to_work() -> None:
    crew = Crew()
    for way in (crew.alone, crew.beside, crew.alone):
        with pytest.raises(ZeroDivisionError), way():
            raise ZeroDivisionError
    with crew.beside(), crew.beside():
        pass
