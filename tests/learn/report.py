"""The report: runs of a table, and pages of pictures about them. See report.sh."""

import argparse
import html
import json
import os
import pathlib
import subprocess
import sys
import time

import report_claims
import report_figures
import report_judge
import report_pages

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = 50  # a small report takes this part of the steps
SOURCES = ["CMakeLists.txt", "daemon", "policies", "sim", "drivers", "proto", "deploy/robots", "deploy/mjcf"]


class Row:
    """One learner in one world: a line of the table."""

    def __init__(self, line, args):
        page, label, robot, steps, seeds, asked, settings = line
        self.page, self.label, self.robot = page, label, robot
        self.steps = max(200, int(steps) // SMALL) if args.small else int(steps)
        self.seeds = [int(s) for s in seeds.split(",")]
        if args.small or args.seeds:
            self.seeds = self.seeds[: 1 if args.small else args.seeds]
        self.asked, self.bounds = report_judge.parse("-" if args.small else asked)
        self.asks = "" if args.small or asked == "-" else asked
        self.settings = [] if settings == "-" else settings.split()
        if args.small:  # everything that waits for steps begins at once
            self.settings.append("learner.learning_starts=100")
            self.settings += [s for s in ["learner.train_freq=128"] if any("train_freq=2048" in t for t in self.settings)]

    def file(self):
        return ROOT / "deploy" / "robots" / f"{self.robot}.yaml"

    def command(self, binary, seed):
        flags = [x for s in self.settings for x in ("--set", s)]
        return [str(binary), "--lockstep", "--config", str(self.file()), *flags, "--seed", str(seed), "--steps", str(self.steps), "--json"]

    def folder(self, out, seed):
        return out / "runs" / self.page / f"{self.label}-{seed}".replace(" ", "_").replace("/", "_")

    def shown(self, seed):
        """The command as a person would type it."""
        flags = "".join(f" --set {s}" for s in self.settings)
        return f"basald --lockstep --config deploy/robots/{self.robot}.yaml{flags} --seed {seed} --steps {self.steps} --json"


def read_table(path, args):
    rows, refs = [], []
    for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        cells = line.split("\t")
        if line.startswith("#") or not line.strip():
            continue
        if cells[0] == "ref" and len(cells) == 4:
            refs.append((cells[1], cells[2], float(cells[3])))
        elif len(cells) == 7:
            try:
                rows.append(Row(cells, args))
            except ValueError as error:
                sys.exit(f"report: {path}:{n}: {error}")
        else:
            sys.exit(f"report: {path}:{n}: 7 columns are wanted, or 4 of a ref, not {len(cells)}")
    if args.pages:
        rows = [r for r in rows if r.page in args.pages.split(",")]
    if args.most_steps:
        rows = [r for r in rows if r.steps <= args.most_steps]
    return rows, refs


def finished(folder, version, row, seed):
    """The result of a run that need not be repeated, or None."""
    try:
        kept = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = kept["version"] == version and kept["command"] == row.shown(seed)
    return kept if same else None


class Run:
    """One seed under way."""

    def __init__(self, row, seed, args, version):
        self.row, self.seed, self.version = row, seed, version
        self.folder = row.folder(args.out, seed)
        subprocess.run(["rm", "-rf", str(self.folder)], check=True)
        self.folder.mkdir(parents=True)
        self.output = open(self.folder / "output", "w+", encoding="utf-8")
        command = row.command(args.bin / "basald", seed) + ["--run-dir", str(self.folder / "run")]
        command += ["--checkpoint-steps", str(row.steps), "--eval-trace", str(self.folder / "trace.jsonl")]
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.STDOUT)

    def result(self):
        """What the finished run printed, kept beside it; None: it failed."""
        self.output.seek(0)
        text = self.output.read()
        self.output.close()
        lines = [line for line in text.splitlines() if line.startswith("{")]
        if self.process.returncode != 0 or not lines:
            print(f"report: {self.row.page}, {self.row.label}, seed {self.seed} failed:\n{text.strip()}", file=sys.stderr)
            return None
        kept = json.loads(lines[-1]) | {"version": self.version, "command": self.row.shown(self.seed)}
        (self.folder / "result.json").write_text(json.dumps(kept), encoding="utf-8")
        return kept


def run_all(rows, args, version):
    """Every seed of every row: {(page, label, seed): result}. The longest first, so that none is alone at the end."""
    done, todo = {}, []
    for row in rows:
        for seed in row.seeds:
            kept = finished(row.folder(args.out, seed), version, row, seed)
            if kept:
                done[row.page, row.label, seed] = kept
            else:
                todo.append((row, seed))
    todo.sort(key=lambda x: -x[0].steps)
    total, begun, running, failed = len(todo), time.monotonic(), [], 0
    print(f"{len(done)} runs are there, {total} to do, {args.jobs} at a time")
    while todo or running:
        while todo and len(running) < args.jobs:
            running.append(Run(*todo.pop(0), args, version))
        time.sleep(0.1)
        for run in [r for r in running if r.process.poll() is not None]:
            running.remove(run)
            kept = run.result()
            failed += kept is None
            if kept:
                done[run.row.page, run.row.label, run.seed] = kept
            n = total - len(todo) - len(running)
            left = (time.monotonic() - begun) / n * (total - n)
            mean = kept and kept["eval_mean_reward"]
            print(f"{n}/{total} {run.row.page}, {run.row.label}, seed {run.seed}: {mean}; about {left / 60:.0f} min more", flush=True)
    return done, failed


def table_of(rows, done):
    out = ["<table><tr><th>learner</th><th>steps</th><th>seeds</th><th>returns</th><th>mean</th><th></th><th>asked</th><th></th></tr>"]
    for row in rows:
        got, mean, held = report_judge.judge(row, done)
        first = next((done[k] for k in done if k[:2] == (row.page, row.label)), None)
        cells = [row.label, f"{row.steps:,}", ", ".join(map(str, row.seeds)), ", ".join(f"{x:.4g}" for x in got)]
        cells += ["" if mean is None else f"{mean:.4g}", report_judge.told(row, done), row.asks]
        cells += ["" if held is None else "held" if held else "missed"]
        out.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>")
        how = html.escape(row.shown(row.seeds[0]))
        hashes = f"configuration {first['config_hash']}" if first else "not run"
        out.append(f"<tr class=how><td colspan=8><code>{how}</code> {hashes}</td></tr>")
    return "\n".join(out) + "</table>"


def claim_of(claim):
    """A comparison as a part of the page."""
    out = [f"<h2>{html.escape(claim.title)}</h2><p>{html.escape(claim.says)} <b>{claim.verdict()}</b></p>"]
    out += [f"<p>{html.escape(claim.how)}</p>", "<table><tr>" + "".join(f"<th>{html.escape(c)}</th>" for c in claim.head) + "</tr>"]
    out += ["<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>" for cells in claim.lines]
    out += ["</table>"] + [f"<img src='{claim.picture}' alt='{html.escape(claim.title)}'>" if claim.picture else ""]
    return "\n".join(out)


def write_index(rows, refs, claims, done, args, version):
    body = [f"<p>{html.escape(version)}; a curve is the mean over seeds of the returns while learning, its shade their spread.</p>"]
    for page in dict.fromkeys(r.page for r in rows):
        of_page = [r for r in rows if r.page == page]
        picture = report_pages.curves(page, of_page, [x for x in refs if x[0] == page], args.out)
        body.append(f"<h2>{html.escape(page)}</h2>")
        body += [f"<img src='{picture}' alt='learning curves of {html.escape(page)}'>"] if picture else []
        body.append(table_of(of_page, done))
    for claim in claims:
        body.append(claim_of(claim))
    figures, broken = report_figures.figures(rows, done, args)
    for title, text, picture in figures:
        body.append(f"<h2>{html.escape(title)}</h2><p>{html.escape(text)}</p>")
        body += [f"<img src='{picture}' alt='{html.escape(title)}'>"] if picture else []
    style = "body{font:16px sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em .6em;text-align:left}.how{color:#777;font-size:70%}"
    page = f"<!doctype html><meta charset=utf-8><title>What basald has learned</title><style>{style}</style><h1>What basald has learned</h1>"
    (args.out / "index.html").write_text(page + "\n".join(body), encoding="utf-8")
    return broken


def version_of(binaries):
    """What runs: the program's version, and the newest commit that touches what it is built from or runs."""
    said = subprocess.run([str(binaries / "basald"), "--version"], capture_output=True, text=True, check=True).stdout.strip()
    git = ["git", "log", "-1", "--format=%h", "--", *SOURCES]
    commit = subprocess.run(git, capture_output=True, text=True, cwd=ROOT, check=False).stdout.strip()
    return f"{said}, {commit}" if commit else said


def arguments():
    p = argparse.ArgumentParser(prog="report.sh", description="Learners, worlds and seeds of a table: run, drawn, judged.")
    p.add_argument("--bin", type=pathlib.Path, default=pathlib.Path(os.environ.get("BASAL_BIN", ROOT / "build/release/bin")))
    p.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"))
    p.add_argument("--table", type=pathlib.Path, default=ROOT / "tests/learn/report.tsv")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--pages", help="only these, with commas between")
    p.add_argument("--seeds", type=int, help="only the first so many of each line")
    p.add_argument("--most-steps", type=int, help="without the lines that have more")
    p.add_argument("--small", action="store_true", help="the way itself, in minutes")
    return p.parse_args()


def main():
    args = arguments()
    rows, refs = read_table(args.table, args)
    args.out.mkdir(parents=True, exist_ok=True)
    version = version_of(args.bin)
    done, failed = run_all(rows, args, version)
    claims = list(report_claims.claims(rows, refs, done, args))
    broken = write_index(rows, refs, claims, done, args, version)
    missed = [r for r in rows if report_judge.judge(r, done)[2] is False]
    for row in rows:
        got, mean, held = report_judge.judge(row, done)
        word = "" if held is None else ", held" if held else f", MISSED {row.asks}"
        more = "".join(f"; {x}" for x in [report_judge.told(row, done)] if x)
        print(f"{row.page}, {row.label}: {', '.join(f'{x:.4g}' for x in got)}; mean {mean if mean is None else f'{mean:.4g}'}{more}{word}")
    for claim in claims:
        print("\n".join([f"{claim.title}: {claim.says} {claim.verdict()}", *("    " + "  ".join(c) for c in [claim.head, *claim.lines])]))
    print(f"{args.out}/index.html: {len(rows)} lines, {len(missed)} missed what is asked, {failed} runs failed; "
          f"{sum(c.held is True for c in claims)} of {len(claims)} claims held")
    return 1 if failed or missed or broken else 0


if __name__ == "__main__":
    sys.exit(main())
