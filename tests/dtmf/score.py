#!/usr/bin/env python3
"""Score a DTMF detector on a corpus made by gen.py.

    score.py --detector PROGRAM --corpus DIR [--jobs 2] [--json FILE] [--verbose]

The detector reads raw audio on standard input and prints `<digit> <start_ms> <end_ms>
<detect_ms>` per key (see crates/dtmf-detector/README.md). Every condition is counted over its
codec variants together. Exit status 0 when at least --minimum (95 %) of the mandatory
conditions pass.
"""
import argparse
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

LINE = re.compile(r"^([0-9A-D*#]) (\d+(?:\.\d*)?) (\d+(?:\.\d*)?) (\d+(?:\.\d*)?)$")
EARLY_MS, LATE_MS = 10, 200     # a report counts from before the tone's start to after its end
TALKOFF_PER_HOUR = {"M": 0.46, "E": 10.0}
WAV_HEADER = 44


class Broken(Exception):
    """The detector crashed, or printed a line that is none."""


def detect(program, raw, codec, frame=160):
    """The detector's lines for raw audio: (digit, start_ms, end_ms, detect_ms)."""
    env = dict(os.environ, DTMF_CODEC=codec, DTMF_FRAME=str(frame))
    run = subprocess.run([program], input=raw, env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=600)
    if run.returncode:
        raise Broken("exit status %d: %s" % (run.returncode, run.stderr.decode()[-300:]))
    lines = []
    for text in run.stdout.decode().splitlines():
        m = LINE.match(text)
        if not m and text.startswith("# "):      # a remark; the key # looks like one at first
            continue
        if not m:
            raise Broken("not a line of the protocol: %r" % text)
        lines.append((m[1], float(m[2]), float(m[3]), float(m[4])))
    return lines


class Count:
    """What one file, or one condition over its files, came to."""

    def __init__(self):
        self.digits = self.missed = self.split = self.extra = self.presented = self.accepted = 0
        self.hours = 0.0
        self.broken = []
        self.latencies = []
        self.where = []

    def add(self, other):
        for name in ("digits", "missed", "split", "extra", "presented", "accepted", "hours"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("broken", "latencies", "where"):
            getattr(self, name).extend(getattr(other, name))


def match(labels, lines):
    """In time order each label takes the first unused line with its key in its span."""
    c = Count()
    used = [False] * len(lines)
    for label in labels:
        lo, hi = label["start_ms"] - EARLY_MS, label["end_ms"] + LATE_MS
        same = [i for i, (d, _, _, at) in enumerate(lines)
                if d == label["digit"] and lo <= at <= hi and not used[i]]
        label["line"] = same[0] if same else None
        if same:
            used[same[0]] = True
            if label["expect"] == "accept":
                c.latencies.append(lines[same[0]][3] - label["start_ms"])
        if label["expect"] == "accept":
            c.digits += 1
            if not same:
                c.missed += 1
                c.where.append("missed %s at %.0f" % (label["digit"], label["start_ms"]))
        elif label["expect"] == "reject":
            c.presented += 1
            if same:
                c.accepted += 1
                c.where.append("took %s at %.0f" % (label["digit"], label["start_ms"]))
    for i, (digit, start, _, at) in enumerate(lines):
        if used[i]:
            continue
        near = [lb for lb in labels if lb["digit"] == digit
                and lb["start_ms"] - EARLY_MS <= at <= lb["end_ms"] + LATE_MS]
        if near and all(lb["expect"] == "any" for lb in near):
            continue
        if near and all(lb["expect"] == "reject" for lb in near):
            c.accepted += 1
        elif near:
            c.split += 1
        else:
            c.extra += 1
        c.where.append("%s %s at %.0f" % ("split" if near else "extra", digit, start))
    return c


def score_file(program, corpus, record):
    c = Count()
    try:
        with open(os.path.join(corpus, record["file"]), "rb") as f:
            raw = f.read()[WAV_HEADER:]
        with open(os.path.join(corpus, record["labels"])) as f:
            labels = json.load(f)["digits"]
        width = 2 if record["codec"] == "l16" else 1
        raw = raw[:record["samples"] * width]      # without the pad octet of odd files
        c = match(labels, detect(program, raw, record["codec"]))
    except (Broken, subprocess.TimeoutExpired) as problem:
        c.broken.append("%s: %s" % (record["file"], problem))
    c.hours = record["samples"] / 8000 / 3600
    c.where = ["%s: %s" % (record["file"], w) for w in c.where]
    return c


def judge(record, c):
    """(passed, figure, limit) of a condition."""
    if c.broken:
        return False, float("nan"), 0.0
    if record["kind"] == "talkoff":
        return c.extra / c.hours <= TALKOFF_PER_HOUR[record["tier"]], c.extra / c.hours, \
            TALKOFF_PER_HOUR[record["tier"]]
    if record["expect"] == "reject":
        figure = (c.accepted + c.extra) / max(c.presented, 1)
    elif record["expect"] == "any":
        return True, 0.0, 0.0
    else:
        figure = (c.missed + c.split + c.extra) / max(c.digits, 1)
    return figure <= record["max_err"], figure, record["max_err"]


def probe_future(program, corpus, records, probes=12):
    """Cuts the audio where a key was reported and goes on with silence: the same key must be
    reported at the same moment. Also: the report must not depend on the frame size."""
    wrong = []
    for record in records[:: max(1, len(records) // probes)]:
        with open(os.path.join(corpus, record["file"]), "rb") as f:
            raw = f.read()[WAV_HEADER:]
        width = 2 if record["codec"] == "l16" else 1
        silence = {"l16": b"\0\0", "pcmu": b"\xff", "pcma": b"\xd5"}[record["codec"]]
        lines = detect(program, raw, record["codec"])
        fine = detect(program, raw, record["codec"], frame=8)
        if [(d, s) for d, s, _, _ in lines] != [(d, s) for d, s, _, _ in fine]:
            wrong.append("%s: the frame size changes the result" % record["file"])
        for digit, start, _, at in lines[:: max(1, len(lines) // 4)]:
            cut = raw[:int(at * 8) * width] + silence * 4000
            again = detect(program, cut, record["codec"])
            if not any((d, s, t) == (digit, start, at) for d, s, _, t in again):
                wrong.append("%s: %s at %.0f depends on the future" % (record["file"], digit, at))
    return wrong


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--detector", required=True)
    ap.add_argument("--corpus", required=True)
    ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("--json")
    ap.add_argument("--minimum", type=float, default=0.95)
    ap.add_argument("--verbose", action="store_true", help="say where it went wrong")
    a = ap.parse_args()
    with open(os.path.join(a.corpus, "manifest.json")) as f:
        records = json.load(f)["files"]
    with ThreadPoolExecutor(a.jobs) as pool:
        counts = list(pool.map(lambda r: score_file(a.detector, a.corpus, r), records))
    by_condition = defaultdict(Count)
    first = {}
    for record, c in zip(records, counts):
        first.setdefault(record["condition"], record)
        by_condition[record["condition"]].add(c)
    tiers, report = defaultdict(lambda: [0, 0]), []
    for name, record in first.items():
        c = by_condition[name]
        passed, figure, limit = judge(record, c)
        tiers[record["tier"]][0] += passed
        tiers[record["tier"]][1] += 1
        report.append(dict(condition=name, tier=record["tier"], passed=passed, figure=figure,
                           limit=limit, digits=c.digits, missed=c.missed, split=c.split,
                           extra=c.extra, accepted=c.accepted, presented=c.presented))
        print("%-4s %s %-18s %9.4f of at most %.4f (missed %d, split %d, extra %d of %d; took %d of %d)"
              % ("ok" if passed else "FAIL", record["tier"], name, figure, limit, c.missed,
                 c.split, c.extra, c.digits, c.accepted, c.presented))
        for line in c.broken + (c.where if a.verbose and not passed else []):
            print("     " + line)
    future = probe_future(a.detector, a.corpus, [r for r in records if r["expect"] == "accept"])
    if any(r["expect"] == "accept" for r in records):
        tiers["M"][0] += not future
        tiers["M"][1] += 1
    for line in future:
        print("FAIL M " + line)
    latencies = sorted(x for c in by_condition.values() for x in c.latencies)
    if latencies:
        print("latency: median %.1f ms, p99 %.1f ms" % (
            latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]))
    for tier, name in (("M", "mandatory"), ("E", "extended"), ("I", "informational")):
        if tiers[tier][1]:
            print("%s conditions passed: %d / %d" % (name, *tiers[tier]))
    if a.json:
        with open(a.json, "w") as f:
            json.dump(report, f, indent=1)
    passed, total = tiers["M"]
    return 0 if passed >= a.minimum * total else 1


if __name__ == "__main__":
    sys.exit(main())
