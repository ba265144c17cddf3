// A small GitHub that keeps state: issues, files, branches and pull requests of one repository.
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Upstream } from './upstream.mjs';

const sha = (text) => createHash('sha1').update(text).digest('hex');
const REPO = /^\/repos\/([^/]+)\/([^/]+)\/(.*)$/;

export class GitHub {
  // `fault(request, count)` comes before an answer: what it returns goes out in its place.
  // `before`: nothing is done then; `after`: it is done and the answer replaced.
  static async start({ token = 'github-token-of-a-test' } = {}) {
    const github = new GitHub();
    github.token = token;
    github.issues = new Map();
    github.files = new Map();
    github.branches = new Map([['main', sha('main')]]);
    github.commits = 0;
    github.before = () => {};
    github.after = () => {};
    github.upstream = await Upstream.start((request, count) => github.answer(request, count));
    github.url = github.upstream.url;
    github.folder = await mkdtemp(join(tmpdir(), 'tutti-github-'));
    await writeFile(join(github.folder, 'token'), token, { mode: 0o600 });
    return github;
  }

  async stop() {
    await this.upstream.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  requests(method, path) {
    return this.upstream.requests.filter((one) => one.method === method && one.path.includes(path));
  }

  open() {
    return [...this.issues.values()].filter((issue) => issue.state === 'open');
  }

  async answer(request, count) {
    const broken = await this.before(request, count);
    if (broken) return broken;
    if (request.headers.authorization !== `Bearer ${this.token}`) return { status: 401, body: { message: 'Bad credentials' } };
    const [, , , rest] = REPO.exec(request.path) ?? [];
    const answer = this.route(request, rest ?? '');
    return (await this.after(request, count, answer)) ?? answer;
  }

  route(request, rest) {
    const body = request.body ? JSON.parse(request.body) : {};
    const [kind, ...more] = rest.split('/');
    if (kind === 'issues') return this.issue(request, more[0], body);
    if (kind === 'contents') return this.contents(request, decodeURIComponent(more.join('/')), body);
    if (kind === 'git') return this.refs(request, decodeURIComponent(more.slice(2).join('/')), body);
    return { status: 404, body: { message: 'Not Found' } };
  }

  issue({ method, query }, number, body) {
    if (method === 'POST') {
      const issue = { number: this.issues.size + 1, state: 'open', html_url: `https://github.test/${this.issues.size + 1}`, ...body };
      this.issues.set(issue.number, issue);
      return { status: 201, body: issue };
    }
    if (method === 'GET' && !number) {
      const page = Number(query.get('page') ?? 1);
      const size = Number(query.get('per_page') ?? 30);
      const all = [...this.issues.values()];
      const headers = {};
      if (page * size < all.length) headers.link = `<${this.url}/repos/acme/blog/issues?per_page=${size}&page=${page + 1}>; rel="next"`;
      return { headers, body: all.slice((page - 1) * size, page * size) };
    }
    const issue = this.issues.get(Number(number));
    if (!issue) return { status: 404, body: { message: 'Not Found' } };
    if (method === 'PATCH') Object.assign(issue, body);
    return { body: issue };
  }

  contents({ method }, path, body) {
    const file = this.files.get(path);
    if (method === 'GET') return file ? { body: file } : { status: 404, body: { message: 'Not Found' } };
    if (body.sha !== file?.sha) return { status: 409, body: { message: `${path} does not match` } };
    this.commits++;
    if (method === 'DELETE') {
      this.files.delete(path);
      return { body: { content: null } };
    }
    const made = { content: body.content, sha: sha(body.content) };
    this.files.set(path, made);
    return { status: file ? 200 : 201, body: { content: made } };
  }

  refs({ method }, name, body) {
    if (method === 'GET') {
      const found = this.branches.get(name);
      return found ? { body: { ref: `refs/heads/${name}`, object: { sha: found, type: 'commit' } } } : { status: 404, body: { message: 'Not Found' } };
    }
    if (method === 'DELETE') {
      return { status: this.branches.delete(name) ? 204 : 422, text: '' };
    }
    const branch = body.ref.replace('refs/heads/', '');
    if (this.branches.has(branch)) return { status: 422, body: { message: 'Reference already exists' } };
    this.branches.set(branch, body.sha);
    return { status: 201, body: { ref: body.ref } };
  }
}

// What a suite needs to call it.
export function githubConfig(github) {
  return {
    tools: {
      connections: { github: { adapter: 'github', config: { base_url: github.url, owner: 'acme' }, secrets: { token: { secret: 'GITHUB' } }, allow_private: true, min_gap: { write: '0s' } } },
    },
    secrets: { GITHUB: { file: join(github.folder, 'token') } },
  };
}
