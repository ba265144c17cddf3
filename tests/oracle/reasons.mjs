// Why our validator and the official schema may differ. Everything else is a fault of ours.

// What the schema lets pass and we refuse. Every error of a definition needs one of these.
export const refused = [
  ['not supported yet', (f) => /not supported yet/.test(f.detail)],
  ['another version of the DSL', (f) => f.code === 'V02'],
  ['a name in the document', (f) => f.code === 'V03'],
  ['a version of a child that is none', (f) => /\/run\/workflow\/version$/.test(f.pointer) && f.code === 'V06'],
  ['names of tasks', (f) => /^V1[0-2]$/.test(f.code)],
  ['a name that nothing has', (f) => f.code === 'V13'],
  ['functions and their arguments', (f) => f.code === 'V14'],
  ['what is read when a workflow is registered', (f) => /^this is read when the workflow is registered|^a resource is a whole document/.test(f.detail)],
  ['names of variables', (f) => f.code === 'V15'],
  ['two defaults, schedules', (f) => f.code === 'V16' || f.code === 'V17'],
  ['expressions', (f) => /^V2[0-5]$/.test(f.code)],
  ['metadata.tutti', (f) => f.code === 'V30' || /\/metadata\/tutti(\/|$)/.test(f.pointer)],
  ['a key that the schema leaves open', (f) => f.code === 'V04' && open.test(f.detail)],
  ['a schema that is none', (f) => /^in the schema: /.test(f.detail)],
  ['a URI that is relative, or no template of ours', (f) => /not an absolute URI|^a URI template knows/.test(f.detail)],
  ['a method of HTTP', (f) => /is not an HTTP method$/.test(f.detail)],
  ['durations: negative, with years or months, nothing', (f) => f.code === 'V07'],
  ['a number out of range', (f) => / is not between /.test(f.detail)],
  ['an event without attributes', (f) => /^`(event|emit)` needs `(with|event)`$|^an event (filter )?needs/.test(f.detail)],
  ['a plain text where only an expression makes sense', (f) => / not a plain text$|a map or an expression is needed here, not a text/.test(f.detail)],
  ['a language of scripts', (f) => /\/run\/script\/language$/.test(f.pointer)],
  ['an agent without address', (f) => /needs `agentCard` or `server`$/.test(f.detail)],
  ['a retry policy of tables', (f) => /\/backoff\/(constant|exponential|linear)(\/|$)/.test(f.pointer)],
  ['details of an error, which only 1.0.3 knows', (f) => /\/(with|error)\/details$/.test(f.pointer)],
  ['more than one authentication', (f) => /^an authentication has exactly one of/.test(f.detail)],
  ['the version of an MCP client, which 1.0.3 forgot to type', (f) => /\/client\/version$/.test(f.pointer)],
  ['a child run in another namespace', (f) => /^a child run stays in the namespace/.test(f.detail)],
  ['a secret that is declared twice', (f) => / is declared twice$/.test(f.detail)],
  ['a name of a secret that none can have', (f) => /^\/use\/secrets\/\d+$/.test(f.pointer) && /^the name of a secret has /.test(f.detail)],
  ['the environment of a program', (f) => f.code === 'V31' && /^the environment of an MCP server/.test(f.detail)],
  ['a text with NUL', (f) => / NUL$/.test(f.detail)],
];

const open = new RegExp(`is not a property of (${[
  'a workflow', 'an authentication', '`errors\\.with`', '`catch\\.errors`', 'a correlation', '`event`', 'an MCP call', '`transport.*`', '`client`', '`constant`', '`exponential`',
  '`linear`', 'a schedule', '`schedule`', '`use`', '`endpoints`', '`request`', 'an OAuth2.*',
].join('|')})$`);

// What the schema refuses and we let pass: each is a change that makes such a definition the
// schema's. `change(node, path)` returns true if it found its case; nodes are visited from the root.
export const accepted = [
  ['for.in holds values of any kind', (node, path) => {
    if (path.at(-1) !== 'for' || !Array.isArray(node.in)) return false;
    node.in = '.';
    return true;
  }],
  ['main dialect: emit without source', (node, path) => {
    if (path.at(-1) !== 'with' || path.at(-2) !== 'event' || 'source' in node) return false;
    node.source = 'https://example.com';
    return true;
  }],
  ['main dialect: an error type that is no absolute URI', (node) => {
    if (typeof node.type !== 'string' || !('status' in node) || !/^\S+$/.test(node.type)) return false;
    node.type = 'https://example.com';
    return true;
  }],
  ['arguments of scripts and shells are a map', (node, path) => {
    if (!/^(script|shell)$/.test(path.at(-1)) || !isMap(node.arguments)) return false;
    node.arguments = [];
    return true;
  }],
  ['expressions where the wrapper is optional', (node, path) => {
    const keys = path.at(-1) === 'subscription' ? ['filter'] : path.at(-1) === 'consume' ? ['while', 'until'] : [];
    const found = keys.filter((key) => typeof node[key] === 'string');
    for (const key of found) node[key] = '${ . }';
    return found.length > 0;
  }],
  ['details of an error', (node, path) => {
    if (!('details' in node) || !(path.includes('raise') || path.includes('errors'))) return false;
    delete node.details;
    return true;
  }],
  ['patterns in event filters', (node, path) => {
    if (path.at(-1) !== 'with') return false;
    const found = ['time', 'source', 'dataschema'].filter((key) => typeof node[key] === 'string');
    for (const key of found) node[key] = '${ . }';
    return found.length > 0;
  }],
  ['expressions for the choices of OAuth 2', (node) => {
    const choices = { grant: 'password', encoding: 'application/json', authentication: 'none' };
    const found = Object.keys(choices).filter((key) => typeof node[key] === 'string' && node[key].startsWith('${'));
    for (const key of found) node[key] = choices[key];
    return found.length > 0;
  }],
  ['an expression for the parameters of an OpenAPI call', (node, path) => {
    if (path.at(-1) !== 'with' || !('operationId' in node) || typeof node.parameters !== 'string') return false;
    node.parameters = {};
    return true;
  }],
  ['an error with an expression for its status', (node) => {
    if (typeof node.status !== 'string' || !('type' in node)) return false;
    node.status = 400;
    return true;
  }],
];

const isMap = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

// The names of the changes that make the schema accept `document`; undefined if none do.
export function explain(document, accepts) {
  const copy = structuredClone(document);
  const names = new Set();
  const nodes = [{ node: copy, path: [] }];
  while (nodes.length > 0) {
    const { node, path } = nodes.pop();
    if (isMap(node)) {
      for (const [name, change] of accepted) if (change(node, path)) names.add(name);
    }
    for (const [key, value] of Object.entries(node)) {
      if (value !== null && typeof value === 'object') nodes.push({ node: value, path: [...path, key] });
    }
  }
  return names.size > 0 && accepts(copy) ? [...names] : undefined;
}
