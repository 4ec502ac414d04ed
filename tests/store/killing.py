"""Run as a script: workers apply requests in a loop, and are killed without warning."""

import json
import os
import random
import signal
import sys
from pathlib import Path
from time import sleep

from sklearn_unlearn.store import ModelStore
from tests.store.people import KEY, trained


def start_worker(folder, seed):
    """Fork a process that applies small batches until it is killed; return its number."""
    number = os.fork()
    if number:
        return number
    # Nothing of the parent's may run here, not even what pytest does at an exit.
    try:
        store, draw = ModelStore(folder, key=KEY), random.Random(seed)
        while True:
            store.apply(max_batch=draw.randint(1, 20))
            sleep(0.001)
    except BaseException as error:
        sys.stderr.write(f"a worker failed: {error!r}\n")
        sys.stderr.flush()
    finally:
        os._exit(1)


def kill(worker):
    """Kill a process, and tell whether that is what it died of."""
    os.kill(worker, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(worker, 0)[1])


def main(folder, name, n_people, n_unknown, n_twice, n_workers, n_kills):
    """Submit people by and by, kill workers, let the last ones finish, and print what was done."""
    store, draw = trained(folder, name, n_people), random.Random(1)
    # One in ten stays, so that there is a model.
    leaving = [f"person-{number:06d}" for number in range(n_people) if number % 10]
    unknown = [f"stranger-{number:06d}" for number in range(n_unknown)]
    letters = [*leaving, *unknown, *draw.sample(leaving, n_twice)]
    draw.shuffle(letters)
    portion = -(-len(letters) // n_kills)
    workers = [start_worker(folder, seed) for seed in range(n_workers)]
    n_killed = 0
    for stroke in range(n_kills):
        for letter in letters[stroke * portion : (stroke + 1) * portion]:
            store.submit([letter])
        sleep(draw.uniform(0, 0.06))
        place = draw.randrange(n_workers)
        n_killed += kill(workers[place])
        workers[place] = start_worker(folder, n_workers + stroke)
    while store.counts()["purged"] < len(leaving) or store.counts()["received"]:
        sleep(0.02)
    are_well = all(map(kill, workers))
    sys.stdout.write(json.dumps({"forgotten": leaving, "unknown": unknown, "n_killed": n_killed}))
    return 0 if are_well else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
