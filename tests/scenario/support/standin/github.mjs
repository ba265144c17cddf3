// GitHub: issues, pull requests, comments, branches and files of repositories.
import { createHash } from 'node:crypto';
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

export const MAIN = 'aa218f56b14c9653891f9e74264a383fa43fefbd';
const shaOf = (text) => createHash('sha1').update(text).digest('hex');
const blobSha = (base64) => { const data = Buffer.from(base64, 'base64'); return shaOf(Buffer.concat([Buffer.from(`blob ${data.length}\0`), data])); };
export const OLD = blobSha('b2xk'); // of the file that is there
const lines = (base64) => base64.replace(/(.{60})/g, '$1\n');
const found = (row) => { if (!row) throw new Refusal(404, 'not_found', 'Not Found'); return row; };
const invalid = (message) => new Refusal(422, 'invalid', message);

const issueOf = ({ repo, number, ...row }) => ({ number, html_url: `https://github.test/${repo}/issues/${number}`, ...row });
const pullOf = ({ repo, number, head, base, ...row }) => ({
  number, html_url: `https://github.test/${repo}/pull/${number}`, merge_commit_sha: null, ...row,
  head: { ref: head, sha: shaOf(head) }, base: { ref: base, sha: shaOf(base) },
});

// A list in pages, with the links of GitHub.
function paged({ query, path, url }, all) {
  const size = Number(query.get('per_page') ?? 30);
  const page = Number(query.get('page') ?? 1);
  const { items, next } = pageOf(all, (page - 1) * size, size);
  const more = new URLSearchParams(query);
  more.set('page', page + 1);
  return { body: items, headers: next === undefined ? {} : { link: `<${url}${path}?${more}>; rel="next", <${url}${path}?page=1>; rel="first"` } };
}

const repoOf = ({ params }) => `${params.owner}/${params.repo}`;
const numbered = (c, kind) => found(c.store.get(kind, `${repoOf(c)}#${c.params.number}`));
const since = (c, row) => !c.query.get('since') || row.updated_at >= c.query.get('since');
const now = () => new Date().toISOString().replace(/\.\d+Z/, 'Z');
const fileId = (c, branch) => `${repoOf(c)}@${branch ?? 'main'}:${c.params.path}`;

function writeFile(c) {
  const { sha, content, branch } = c.body;
  const id = fileId(c, branch);
  const old = c.store.get('files', id);
  if (!c.store.get('branches', `${repoOf(c)}@${branch ?? 'main'}`)) throw new Refusal(404, 'not_found', `Branch ${branch} not found`);
  if (old && !sha) throw invalid('Invalid request.\n\n"sha" wasn\'t supplied.');
  if (sha && sha !== old?.sha) throw new Refusal(409, 'conflict', `${c.params.path} does not match ${sha}`);
  const made = c.store.put('files', id, { content, sha: blobSha(content) });
  return { status: old ? 200 : 201, body: { content: { path: c.params.path, sha: made.sha }, commit: { sha: shaOf(id + content) } } };
}

export const github = {
  name: 'github',
  secret: 'token',
  settings: { owner: 'acme' },
  // What GitHub cannot delete is closed.
  shown: {
    issues: ({ updated_at, ...row }) => (row.state === 'closed' ? undefined : row), // eslint-disable-line
    pulls: ({ updated_at, ...row }) => (row.state === 'closed' && !row.merged ? undefined : row), // eslint-disable-line
    comments: ({ updated_at, ...row }) => row, // eslint-disable-line
  },
  seed(store) {
    store.put('branches', 'acme/blog@main', { sha: MAIN });
    store.put('branches', 'acme/blog@feat', { sha: MAIN });
    store.put('branches', 'acme/blog@old', { sha: MAIN });
    store.put('files', 'acme/blog@main:a.md', { content: 'b2xk', sha: blobSha('b2xk') });
    store.put('issues', 'acme/blog#1', { repo: 'acme/blog', number: store.next('number'), state: 'open', title: 'First', body: null, labels: [], updated_at: '2026-01-01T00:00:00Z' });
    store.put('pulls', 'acme/blog#2', { repo: 'acme/blog', number: store.next('number'), state: 'open', title: 'Change', head: 'old', base: 'main', body: null, draft: false, merged: false, updated_at: now() });
    store.put('comments', 1, { repo: 'acme/blog', number: 1, id: store.next('comment'), body: 'Nice', updated_at: now() });
  },
  allows: ({ headers }) => headers.authorization === 'Bearer secret-of-github' && headers['user-agent']?.startsWith('tutti/'),
  refuse: ({ status, message }) => ({ status, body: { message, documentation_url: 'https://docs.github.com/rest', status: String(status) } }),
  headers: ({ journal }) => ({ 'x-ratelimit-limit': '5000', 'x-ratelimit-remaining': String(4999 - journal.length), 'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 3600) }),
  routes: {
    'POST /repos/:owner/:repo/issues': (c) => {
      const row = { repo: repoOf(c), number: c.store.next('number'), state: 'open', labels: [], ...c.body, updated_at: now() };
      return { status: 201, body: issueOf(c.store.put('issues', `${row.repo}#${row.number}`, row)) };
    },
    'GET /user': () => ({ body: { login: 'acme-bot', id: 7 } }),
    'GET /repos/:owner/:repo/issues': (c) => paged(c, c.store.list('issues', (row) => row.repo === repoOf(c) && since(c, row) && ['all', row.state].includes(c.query.get('state') ?? 'open')).map(issueOf)),
    'PATCH /repos/:owner/:repo/issues/:number': (c) => ({ body: issueOf(c.store.change('issues', `${repoOf(c)}#${numbered(c, 'issues').number}`, { ...c.body, updated_at: now() })) }),
    'GET /search/issues': (c) => {
      const words = c.query.get('q').split(' ').filter((word) => !word.includes(':'));
      const { body, headers } = paged(c, c.store.list('issues', ({ title }) => words.every((word) => title.includes(word))).map(issueOf));
      return { headers, body: { total_count: body.length, incomplete_results: false, items: body } };
    },
    'POST /repos/:owner/:repo/issues/:number/comments': (c) => {
      const row = { repo: repoOf(c), number: Number(c.params.number), id: c.store.next('comment'), body: c.body.body, updated_at: now() };
      found(c.store.get('issues', `${row.repo}#${row.number}`) ?? c.store.get('pulls', `${row.repo}#${row.number}`));
      return { status: 201, body: { ...c.store.put('comments', row.id, row), html_url: `https://github.test/c/${row.id}` } };
    },
    'GET /repos/:owner/:repo/issues/:number/comments': (c) => paged(c, c.store.list('comments', (row) => row.repo === repoOf(c) && row.number === Number(c.params.number) && since(c, row)).map((row) => ({ ...row, html_url: `https://github.test/c/${row.id}` }))),
    'DELETE /repos/:owner/:repo/issues/comments/:id': (c) => { found(c.store.delete('comments', Number(c.params.id))); return { status: 204 }; },
    'POST /repos/:owner/:repo/pulls': (c) => {
      const { head, base } = c.body;
      const isSame = (row) => row.repo === repoOf(c) && row.head === head && row.base === base && row.state === 'open';
      if (!c.store.get('branches', `${repoOf(c)}@${head}`)) throw invalid('Validation Failed: head is invalid');
      if (c.store.list('pulls', isSame).length > 0) throw invalid(`Validation Failed: A pull request already exists for ${c.params.owner}:${head}.`);
      const row = { repo: repoOf(c), number: c.store.next('number'), state: 'open', merged: false, ...c.body, updated_at: now() };
      return { status: 201, body: pullOf(c.store.put('pulls', `${row.repo}#${row.number}`, row)) };
    },
    'GET /repos/:owner/:repo/pulls': (c) => paged(c, c.store.list('pulls', (row) => row.repo === repoOf(c) && ['all', row.state].includes(c.query.get('state') ?? 'open') && [undefined, row.base].includes(c.query.get('base') ?? undefined)
      && [undefined, `${c.params.owner}:${row.head}`].includes(c.query.get('head') ?? undefined)).map(pullOf)),
    'GET /repos/:owner/:repo/pulls/:number': (c) => ({ body: pullOf(numbered(c, 'pulls')) }),
    'PATCH /repos/:owner/:repo/pulls/:number': (c) => ({ body: pullOf(c.store.change('pulls', `${repoOf(c)}#${numbered(c, 'pulls').number}`, c.body)) }),
    'PUT /repos/:owner/:repo/pulls/:number/merge': (c) => {
      const row = numbered(c, 'pulls');
      if (row.state !== 'open') throw new Refusal(405, 'not_mergeable', 'Pull Request is not mergeable');
      if (c.body.sha && c.body.sha !== shaOf(row.head)) throw new Refusal(409, 'conflict', 'Head branch was modified. Review and try the merge again.');
      c.store.change('pulls', `${row.repo}#${row.number}`, { state: 'closed', merged: true, merge_commit_sha: shaOf(`merge ${row.number}`) });
      return { body: { sha: shaOf(`merge ${row.number}`), merged: true, message: 'Pull Request successfully merged' } };
    },
    'GET /repos/:owner/:repo/git/ref/heads/*branch': (c) => {
      const { sha } = found(c.store.get('branches', `${repoOf(c)}@${c.params.branch}`));
      return { body: { ref: `refs/heads/${c.params.branch}`, object: { sha, type: 'commit' } } };
    },
    'POST /repos/:owner/:repo/git/refs': (c) => {
      const name = c.body.ref.replace('refs/heads/', '');
      if (!/^[0-9a-f]{40}$/.test(c.body.sha)) throw invalid('Object does not exist');
      if (c.store.get('branches', `${repoOf(c)}@${name}`)) throw invalid('Reference already exists');
      c.store.put('branches', `${repoOf(c)}@${name}`, { sha: c.body.sha });
      return { status: 201, body: { ref: c.body.ref, object: { sha: c.body.sha, type: 'commit' } } };
    },
    // What was written on a branch goes with it.
    'DELETE /repos/:owner/:repo/git/refs/heads/*branch': (c) => {
      const id = `${repoOf(c)}@${c.params.branch}`;
      if (!c.store.delete('branches', id)) throw invalid('Reference does not exist');
      for (const file of [...c.store.table('files').keys()].filter((key) => key.startsWith(`${id}:`))) c.store.delete('files', file);
      return { status: 204 };
    },
    'GET /repos/:owner/:repo/contents/*path': (c) => {
      const file = found(c.store.get('files', fileId(c, c.query.get('ref') ?? undefined)));
      return { body: { type: 'file', encoding: 'base64', path: c.params.path, sha: file.sha, content: lines(file.content) } };
    },
    'PUT /repos/:owner/:repo/contents/*path': writeFile,
    'DELETE /repos/:owner/:repo/contents/*path': (c) => {
      const id = fileId(c, c.body.branch);
      if (found(c.store.get('files', id)).sha !== c.body.sha) throw new Refusal(409, 'conflict', `${c.params.path} does not match ${c.body.sha}`);
      c.store.delete('files', id);
      return { body: { content: null, commit: { sha: shaOf(`${id} deleted`) } } };
    },
    'POST /repos/:owner/:repo/actions/workflows/:id/dispatches': (c) => { c.store.put('dispatches', c.store.next('dispatch'), c.body); return { status: 204 }; },
  },
};
