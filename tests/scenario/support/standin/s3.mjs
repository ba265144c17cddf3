// An object store as Amazon's, whose signatures are computed here once more from what came over the wire: a signer that is wrong
// about a single byte is refused.
import { createHash, createHmac } from 'node:crypto';
import { pageOf } from './store.mjs';
import { Refusal } from './world.mjs';

const ACCESS = 'AKIDOFTHETESTS';
const SECRET = 'secret-of-s3';
const REGION = 'eu-central-1';
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

function keyOf(date) {
  return [date, REGION, 's3', 'aws4_request'].reduce((key, part) => hmac(key, part), `AWS4${SECRET}`);
}

function signatureOf({ method, target, headers }, { query, signed, date, payload }) {
  const [path] = target.split('?');
  const canonical = [
    method, path,
    query.map(([name, value]) => `${escape(name)}=${escape(value)}`).sort().join('&'),
    ...signed.map((name) => `${name}:${headers[name].trim().replace(/ +/g, ' ')}`), '',
    signed.join(';'), payload,
  ].join('\n');
  const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
  return hmac(keyOf(date.slice(0, 8)), ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex');
}

const isNear = (date, seconds) => {
  const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  return Math.abs(Date.now() - at) <= seconds * 1000;
};

// A request by its header, or an address that was signed for somebody.
export function isSigned(request) {
  const { headers, query, raw } = request;
  if (query.has('X-Amz-Signature')) {
    const date = query.get('X-Amz-Date');
    const rest = [...query].filter(([name]) => name !== 'X-Amz-Signature');
    const wanted = signatureOf(request, { query: rest, signed: query.get('X-Amz-SignedHeaders').split(';'), date, payload: 'UNSIGNED-PAYLOAD' });
    return query.get('X-Amz-Credential') === `${ACCESS}/${date.slice(0, 8)}/${REGION}/s3/aws4_request` && isNear(date, Number(query.get('X-Amz-Expires'))) && query.get('X-Amz-Signature') === wanted;
  }
  const [, access, list, signature] = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/[^,]+, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '') ?? [];
  const signed = list?.split(';') ?? [];
  const must = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  if (access !== ACCESS || !must.every((name) => signed.includes(name)) || !isNear(headers['x-amz-date'], 900)) return false;
  if (headers['x-amz-content-sha256'] !== sha256(raw)) return false;
  return signature === signatureOf(request, { query: [...query], signed, date: headers['x-amz-date'], payload: headers['x-amz-content-sha256'] });
}

const xml = (name, inner) => `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${name}>`;
const plain = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const answer = (name, inner, more = {}) => ({ text: xml(name, inner), headers: { 'content-type': 'application/xml', ...more } });
const idOf = (c) => {
  if (c.params.bucket !== 'shop-files') throw new Refusal(404, 'NoSuchBucket', 'The specified bucket does not exist');
  return c.params.key;
};
const found = (row) => { if (!row) throw new Refusal(404, 'NoSuchKey', 'The specified key does not exist.'); return row; };
const headersOf = ({ etag, mime, mark, content }) => ({ etag, 'content-type': mime, 'content-length': content.length, ...(mark ? { 'x-amz-meta-tutti-key': mark } : {}) });

function put(c) {
  const key = idOf(c);
  const source = c.headers['x-amz-copy-source'];
  if (source) {
    const from = found(c.store.get('objects', decodeURIComponent(source).replace('/shop-files/', '')));
    c.store.put('objects', key, { ...from, key });
    return answer('CopyObjectResult', `<ETag>${plain(from.etag)}</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>`);
  }
  if (c.headers['if-none-match'] === '*' && c.store.get('objects', key)) throw new Refusal(412, 'PreconditionFailed', 'At least one of the pre-conditions you specified did not hold');
  const etag = `"${createHash('md5').update(c.raw).digest('hex')}"`;
  c.store.put('objects', key, { key, content: c.raw, etag, mime: c.headers['content-type'], mark: c.headers['x-amz-meta-tutti-key'] });
  return { headers: { etag } };
}

export const s3 = {
  name: 's3',
  secrets: { access_key: ACCESS, secret_key: SECRET },
  settings: { region: REGION, bucket: 'shop-files' },
  seed(store) {
    for (const name of ['old a.txt', 'old/b.txt', 'old/c.txt']) store.put('objects', name, { key: name, content: Buffer.from(`<${name}>`), etag: '"e"', mime: 'text/plain' });
  },
  allows: isSigned,
  refuse: ({ status, code, message }) => ({ status: status === 401 ? 403 : status, text: `<?xml version="1.0"?><Error><Code>${status === 401 ? 'SignatureDoesNotMatch' : code}</Code><Message>${plain(message)}</Message></Error>`, headers: { 'content-type': 'application/xml' } }),
  routes: {
    'GET /:bucket': (c) => {
      const all = c.store.list('objects', ({ key }) => key.startsWith(c.query.get('prefix') ?? '')).sort((a, b) => (a.key < b.key ? -1 : 1));
      const { items, next } = pageOf(all, Number(c.query.get('continuation-token') ?? 0), 2);
      const contents = items.map(({ key, content, etag }) => `<Contents><Key>${plain(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>${plain(etag)}</ETag><Size>${content.length}</Size></Contents>`).join('');
      return answer('ListBucketResult', `<Name>shop-files</Name>${contents}<IsTruncated>${next !== undefined}</IsTruncated>${next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}`);
    },
    'HEAD /:bucket/*key': (c) => ({ headers: headersOf(found(c.store.get('objects', idOf(c)))) }),
    'GET /:bucket/*key': (c) => { const row = found(c.store.get('objects', idOf(c))); return { raw: row.content, headers: headersOf(row) }; },
    'PUT /:bucket/*key': put,
    'DELETE /:bucket/*key': (c) => { c.store.delete('objects', idOf(c)); return { status: 204 }; },
  },
};
