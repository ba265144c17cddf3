// An identity provider as others run it: the package oidc-provider, and what tests want to know of it.
import { createSign, generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { loadProvider } from './packages.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const GRANTS = ['client_credentials', 'password', EXCHANGE];
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export class Identity {
  static async start() {
    const Provider = await loadProvider();
    const identity = new Identity();
    identity.requests = []; // to the token endpoint: { grant_type, authorization, ... }
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    identity.privateKey = privateKey;
    identity.server = createServer();
    await new Promise((resolve) => identity.server.listen(0, '127.0.0.1', resolve));
    identity.url = `http://127.0.0.1:${identity.server.address().port}`;

    const client = (id, method, more = {}) => ({
      client_id: id, client_secret: `secret-of-${id}-0123456789abcdef0123456789`, grant_types: GRANTS, redirect_uris: [], response_types: [],
      token_endpoint_auth_method: method, ...more,
    });
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'RS256' };
    const provider = new Provider(identity.url, {
      clients: [
        client('post', 'client_secret_post'), client('basic', 'client_secret_basic'),
        client('jwt', 'client_secret_jwt', { token_endpoint_auth_signing_alg: 'HS256' }),
        client('key', 'private_key_jwt', { client_secret: undefined, jwks: { keys: [jwk] }, token_endpoint_auth_signing_alg: 'RS256' }),
      ],
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
      features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
      scopes: ['read', 'write'],
      ttl: { ClientCredentials: 3600 },
    });
    // Grants that the package leaves to its user: they check what they get and give the client's token.
    const grant = (check) => async (context) => {
      if (!check(context.oidc.params)) {
        context.status = 400;
        context.body = { error: 'invalid_grant' };
        return;
      }
      const token = new provider.ClientCredentials({ client: context.oidc.client, scope: context.oidc.params.scope });
      context.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: token.expiration };
    };
    provider.registerGrantType('password', grant(({ username, password }) => username === 'ann' && password === 'ann knows & tells?'), ['username', 'password', 'scope']);
    provider.registerGrantType(EXCHANGE, grant((params) => params.subject_token === 'token-of-ann' && params.subject_token_type === 'urn:x:y' && params.actor_token === 'token-of-bob'),
      ['subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'scope', 'audience']);
    provider.on('server_error', (context, error) => console.error(error));

    // What the package has read of a request: who reads the body beside it may leave it nothing.
    provider.use(async (context, next) => {
      await next();
      if (context.path !== '/token') return;
      identity.requests.push({ ...context.oidc?.body, authorization: context.get('authorization'), type: context.get('content-type') });
    });
    identity.server.on('request', provider.callback());
    identity.provider = provider;
    return identity;
  }

  secretOf(client) {
    return `secret-of-${client}-0123456789abcdef0123456789`;
  }

  // The signed statement by which the client `key` proves itself.
  assertion() {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: 'key', sub: 'key', aud: this.url, jti: randomUUID(), iat: now, exp: now + 300 };
    const text = `${base64url({ alg: 'RS256', kid: 'k' })}.${base64url(claims)}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(this.privateKey, 'base64url')}`;
  }

  // What a service knows of the token in a header, or nothing.
  async tokenOf(header) {
    const token = /^Bearer (.+)$/.exec(header ?? '')?.[1];
    return token && (await this.provider.ClientCredentials.find(token));
  }

  async stop() {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}
