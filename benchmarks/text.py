"""`benchmarks/run text`: the language of a message, from a spec that names only its data and a seed, over HTTP; beside
scikit-learn's LinearSVC on tf-idf of n-grams of 1 to 4 characters, trained on the rows of both other parts."""

import csv
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

SEEDS = int(os.environ.get("SEEDS", "3"))
PEER = """
import json, random, sys, time
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC
rows, scores = json.load(sys.stdin), []
for seed in range(int(sys.argv[1])):
    random.Random(seed).shuffle(rows)
    cut = int(0.85 * len(rows))
    began = time.perf_counter()
    analyser = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    model = LinearSVC().fit(analyser.fit_transform([text for text, _ in rows[:cut]]), [label for _, label in rows[:cut]])
    took = time.perf_counter() - began
    right = model.score(analyser.transform([text for text, _ in rows[cut:]]), [label for _, label in rows[cut:]])
    scores.append([right, took])
print(json.dumps(scores))
"""


def main(ours_python: str, peers_python: str) -> None:
    """Prints the table as Markdown."""
    from benchmarks import shaped_data as of
    from benchmarks.jobs import service

    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    rows = of.messages()
    written = io.StringIO()
    csv.writer(written).writerows([("message", "language"), *rows])
    with tempfile.TemporaryDirectory() as home, service(Path(home) / "home", slots=1) as (_, address):
        of.upload(address, "messages", written.getvalue().encode(), "text/csv")
        data = {"kind": "dataset", "dataset": "messages", "target": "language"}
        specs = [{"model_name": "language", "data": data, "training": {"seed": seed}} for seed in range(SEEDS)]
        ours = [of.trained(address, spec) for spec in specs]
    command = [peers_python, "-c", PEER, str(SEEDS)]
    said = subprocess.run(command, input=json.dumps(rows), capture_output=True, check=True, text=True)  # noqa: S603
    lines = [
        f"{len(rows)} messages of Django's catalogs in {of.LANGUAGES} languages, each of {of.SHORTEST} characters or more.",
        "",
    ]
    lines += ["| contender | accuracy of each seed | median | seconds of each | must hold |", "|---|---|---|---|---|"]
    for name, found, goal in (("ours", ours, "≥ 89 %, ≤ 60 s"), ("LinearSVC on tf-idf", json.loads(said.stdout), "")):
        scores, spent = zip(*found, strict=True)
        listed = " ".join(f"{100 * each:.1f}" for each in scores)
        took = " ".join(f"{each:.0f}" for each in spent)
        lines.append(f"| {name} | {listed} | {100 * median(scores):.2f} | {took} | {goal} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main(*sys.argv[1:3])
