// A rendered request against an operation of a description: path, query, headers, body or form. What is found is {at, text}; `at` is
// /path, /query/x, /headers/x or /body/x, as exceptions of a manifest name them.
const standard = new Set(['accept', 'authorization', 'content-type', 'user-agent', 'idempotency-key']);

function securityHeaders(description) {
  const schemes = description.doc.components?.securitySchemes ?? description.doc.securityDefinitions ?? {};
  return new Set(Object.values(schemes).map((one) => description.resolve(one)).filter((one) => one.in === 'header').map((one) => one.name.toLowerCase()));
}

function checkQuery(description, parameters, url) {
  const found = [];
  const known = parameters.filter((one) => one.in === 'query');
  for (const name of new Set(url.searchParams.keys())) {
    const parameter = known.find((one) => one.name === name || one.name === `${name}[]`);
    if (!parameter) found.push({ at: `/query/${name}`, text: 'the description has no such parameter' });
    else found.push(...description.checkText(parameter, url.searchParams.getAll(name), `/query/${name}`));
  }
  for (const one of known) {
    if (one.required && one.name !== 'token' && !url.searchParams.has(one.name)) found.push({ at: `/query/${one.name}`, text: 'is required and missing' });
  }
  return found;
}

function checkHeaders(description, parameters, headers, extra) {
  const found = [];
  const known = parameters.filter((one) => one.in === 'header');
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const secure = securityHeaders(description);
  for (const name of Object.keys(given)) {
    const parameter = known.find((one) => one.name.toLowerCase() === name);
    if (parameter && name !== 'authorization') found.push(...description.checkText(parameter, [given[name]], `/headers/${name}`));
    else if (!standard.has(name) && !secure.has(name) && !extra.has(name)) found.push({ at: `/headers/${name}`, text: 'the description has no such header' });
  }
  for (const one of known) {
    const isCredential = ['authorization', 'token'].includes(one.name.toLowerCase());
    if (one.required && !isCredential && !(one.name.toLowerCase() in given)) found.push({ at: `/headers/${one.name}`, text: 'is required and missing' });
  }
  return found;
}

// Swagger 2.0 has the members of a form as parameters; Slack's takes JSON in their place, where texts may be what they hold.
function checkForm(description, parameters, request) {
  const known = parameters.filter((one) => one.in === 'formData' || one.in === 'query');
  const found = [];
  for (const [name, value] of Object.entries(request.body ?? {})) {
    const parameter = known.find((one) => one.name === name);
    if (!parameter) found.push({ at: `/body/${name}`, text: 'the description has no such parameter' });
    else if (typeof value !== 'object') found.push(...description.checkText(parameter, [String(value)], `/body/${name}`));
  }
  for (const one of known) {
    if (one.required && one.in === 'formData' && one.name !== 'token' && !(one.name in (request.body ?? {}))) found.push({ at: `/body/${one.name}`, text: 'is required and missing' });
  }
  return found;
}

function checkBody(description, operation, parameters, request) {
  const isForm = parameters.some((one) => one.in === 'formData');
  const ofSwagger = parameters.find((one) => one.in === 'body');
  if (isForm || (description.isSwagger && !ofSwagger)) return checkForm(description, parameters, request);
  const declared = description.isSwagger ? { required: ofSwagger.required, content: { 'application/json': { schema: ofSwagger.schema } } } : description.resolve(operation.requestBody);
  if (request.body === undefined) return declared?.required ? [{ at: '/body', text: 'is required and missing' }] : [];
  const content = Object.fromEntries(Object.entries(declared?.content ?? {}).map(([type, value]) => [type.split(';')[0].trim(), value]));
  const type = (Object.entries(request.headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '').split(';')[0];
  if (!declared) return [{ at: '/body', text: 'the description has no body here' }];
  if (request.body?.$param) return [];
  const schema = content[type]?.schema ?? (content['*/*'] ?? {}).schema;
  if (!(type in content) && !('*/*' in content)) return [{ at: '/headers/content-type', text: `${type} is none of ${Object.keys(content)}` }];
  return description.check(schema, request.body, '/body');
}

// `extra`: headers that the whole API takes without its description saying so.
export function checkRequest(description, request, extra = new Set()) {
  const url = new URL(request.url);
  const match = description.operation(request.method, url.pathname);
  if (!match) return { found: [{ at: '/path', text: `there is no ${request.method} ${url.pathname}` }] };
  const { operation, parameters, values } = match;
  const found = [];
  for (const [name, value] of Object.entries(values)) {
    const parameter = parameters.find((one) => one.in === 'path' && one.name === name);
    if (parameter) found.push(...description.checkText(parameter, [value], `/path/${name}`));
  }
  const query = description.isSwagger && request.method === 'POST' && request.body !== undefined ? parameters.filter((one) => one.in !== 'query') : parameters;
  found.push(...checkQuery(description, query, url), ...checkHeaders(description, parameters, request.headers, extra), ...checkBody(description, operation, parameters, request));
  return { found, operation };
}
