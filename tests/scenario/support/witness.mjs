// The outside world as a witness: it sees a request of step k + 1 of a run only after the completion of
// step k was committed, so a request of step k after that is a completed job that was executed again.
// Requests have the path /RUN/STEP.
export class Witness {
  constructor() {
    this.runs = new Map();
    this.executedAgain = [];
    this.otherKeys = [];
    this.requests = 0;
  }

  see(path, key) {
    const [, run, text] = path.split('/');
    const step = Number(text);
    const seen = this.runs.get(run) ?? { furthest: -1, hasEnded: false, keys: [] };
    this.runs.set(run, seen);
    this.requests++;
    if (step < seen.furthest || seen.hasEnded) this.executedAgain.push(path);
    seen.furthest = Math.max(seen.furthest, step);
    seen.keys[step] ??= key;
    if (!key || seen.keys[step] !== key) this.otherKeys.push(path);
  }
}
