"""Runs crowd-kit's aggregators on the MTurk posts and on a table for our own program; prints JSON."""
import csv
import json
import os
import sys
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np
import pandas as pd
from crowdkit.aggregation import GLAD, MACE, DawidSkene, MajorityVote, OneCoinDawidSkene, Wawa, ZeroBasedSkill

posts, table = sys.argv[1:]
rows, gold = [], []
with open(posts, newline="") as file:
    for task, row in enumerate(csv.DictReader(file)):
        gold.append(int(float(row["True Label"])))
        for name, vote in row.items():
            if name.startswith("Expert ") and vote.strip() not in ("-", ""):
                rows.append((task, int(name.split()[1]), int(float(vote))))
workers = {name: at for at, name in enumerate(sorted({worker for _, worker, _ in rows}))}
rows = [(task, workers[worker], vote) for task, worker, vote in rows]
with open(table, "w") as file:
    file.write("task,worker,label\n")
    file.writelines(f"{task},{worker},{vote}\n" for task, worker, vote in rows)
frame = pd.DataFrame(rows, columns=["task", "worker", "label"])
# MACE pairs workers and strategies by the order in which they appear, so it is right on a sorted table only.
ordered = frame.sort_values(["worker", "label"]).reset_index(drop=True)


def run(make, data, times):
    seconds = []
    for _ in range(times):
        model = make()
        begin = time.process_time()
        labels = model.fit_predict(data)
        seconds.append(time.process_time() - begin)
    labels = labels.reindex(range(len(gold))).fillna(0).astype(int)
    return float(np.median(seconds)), float((labels == np.array(gold)).mean())


found = {
    "majority": run(MajorityVote, frame, 3),
    "wawa": run(Wawa, frame, 3),
    "zero-based-skill": run(ZeroBasedSkill, frame, 3),
    "dawid-skene": run(lambda: DawidSkene(n_iter=100), frame, 3),
    "one-coin": run(lambda: OneCoinDawidSkene(n_iter=100), frame, 3),
    "glad": run(GLAD, frame, 3),
    "mace": run(MACE, ordered, 3),
    "mace, table unsorted": run(MACE, frame, 1),
}
print(json.dumps({"gold": gold, "found": found}))
