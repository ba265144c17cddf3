// Arguments of an action beyond its example: only what is required; everything that there is; each value of each enumeration.
const texts = { email: 'ada@example.com', uri: 'https://shop.example/a', 'date-time': '2026-01-02T10:00:00Z', date: '2026-01-02' };

function generated(schema, name) {
  if (schema.enum) return schema.enum[0];
  if (schema.format === 'blob') return { base64: 'aGVsbG8=', mime: 'text/plain', size: 5 };
  switch ([].concat(schema.type ?? 'any')[0]) {
    case 'string': return texts[schema.format] ?? (schema.pattern ? undefined : 'text'.padEnd(schema.minLength ?? 0, 'x'));
    case 'integer': case 'number': return schema.minimum ?? 3;
    case 'boolean': return true;
    case 'array': { const one = generated(schema.items ?? { type: 'string' }, name); return one === undefined ? undefined : [one]; }
    case 'object': {
      if (!schema.properties) return undefined;
      return Object.fromEntries(Object.entries(schema.properties).map(([key, part]) => [key, generated(part, key)]).filter(([, value]) => value !== undefined));
    }
    default: return undefined;
  }
}

export function argumentsOf(manifest, action) {
  const params = action.params ?? {};
  const properties = { ...Object.fromEntries((params.common ?? []).map((name) => [name, manifest.common_params[name]])), ...params.properties };
  const example = action.example.params;
  const value = (name) => (name in example ? example[name] : generated(properties[name], name));
  const pick = (names) => Object.fromEntries(names.map((name) => [name, value(name)]).filter(([, one]) => one !== undefined));
  // What `embed` names is there when a request is made: the service has filled it in.
  const embedded = Object.keys(properties).filter((name) => properties[name].embed);
  const choices = (params.anyOf ?? [{}]).map((one) => one.required ?? []);
  const least = choices.map((more) => [...new Set([...(params.required ?? []), ...embedded, ...more])]);
  const sets = least.filter((names) => names.every((name) => value(name) !== undefined)).map(pick);
  sets.push(pick(Object.keys(properties)));
  for (const [name, schema] of Object.entries(properties)) {
    for (const one of schema.enum ?? []) sets.push({ ...example, [name]: one });
  }
  const seen = new Set([JSON.stringify(example)]);
  return sets.filter((one) => !seen.has(JSON.stringify(one)) && seen.add(JSON.stringify(one)));
}
