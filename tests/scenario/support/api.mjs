// The HTTP API as a client sees it.
import assert from 'node:assert/strict';

export class Api {
  constructor(suite) {
    this.suite = suite;
  }

  // Any request; strings go out as they are, all else as JSON.
  async call(method, path, body, { key = this.suite.key, headers = {}, ms = this.suite.patience, signal } = {}) {
    const isText = typeof body === 'string' || body instanceof Uint8Array;
    let answer;
    let text;
    try {
      answer = await fetch(this.suite.url + path, {
        method,
        headers: {
          ...(key ? { authorization: `Bearer ${key}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined || isText ? body : JSON.stringify(body),
        signal: AbortSignal.any([AbortSignal.timeout(ms + 10_000), ...(signal ? [signal] : [])]),
      });
      text = await answer.text();
    } catch (cause) {
      throw Object.assign(new Error(`${method} ${path}: ${cause.cause?.code ?? cause.message}`, { cause }), { isUnreachable: true });
    }
    this.suite.planted?.check(text, `the answer to ${method} ${path}`);
    const type = answer.headers.get('content-type') ?? '';
    return { status: answer.status, headers: answer.headers, text, body: type.includes('json') && text ? JSON.parse(text) : undefined };
  }

  // A request that must be answered with 2xx; returns the body.
  async ok(method, path, body, options) {
    const answer = await this.call(method, path, body, options);
    if (answer.status < 200 || answer.status > 299) {
      throw Object.assign(new Error(`${method} ${path}: ${answer.status} ${answer.text}`), { isRefusal: answer.status >= 500, answer });
    }
    return answer.body;
  }

  // The same, asked again for as long as the suite is away or says that asking again helps. Only for
  // what may be repeated: GET, and POST with an Idempotency-Key.
  patient(method, path, body, options) {
    return this.suite.until(`${method} ${path}`, async () => {
      try {
        return await this.ok(method, path, body, options);
      } catch (error) {
        if (error.isUnreachable || error.answer?.body?.retryable || error.answer?.status === 503) return null;
        throw error;
      }
    });
  }

  // A request that must be refused, with a complete problem document.
  async refused(method, path, body, status, code, options) {
    const answer = await this.call(method, path, body, options);
    checkProblem(answer, status, code, `${method} ${path}`);
    return answer.body;
  }
}

// Holds an answer against RFC 9457 and the project's own members.
export function checkProblem(answer, status, code, what) {
  assert.equal(answer.status, status, `${what}: ${answer.text.slice(0, 400)}`);
  assert.match(answer.headers.get('content-type'), /^application\/problem\+json/, what);
  assert.equal(answer.body.code, code, `${what}: ${answer.text.slice(0, 400)}`);
  assert.equal(answer.body.type, `urn:tutti:problem:${code}`, what);
  assert.equal(answer.body.status, status, what);
  assert.ok(answer.body.title && answer.body.request_id, what);
  assert.equal(typeof answer.body.retryable, 'boolean', what);
}
