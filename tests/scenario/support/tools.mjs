// What scenarios with adapters share.

// Functions are registered a moment after the tool-adapter is ready.
export async function knows(suite, ...names) {
  for (const name of names) {
    await suite.until(`${name} is registered`, async () => (await suite.api.call('GET', `/v1/tools/${name}`)).status === 200);
  }
}

// Configurations laid over each other.
export function merged(...configs) {
  const isMap = (value) => value && typeof value === 'object' && !Array.isArray(value);
  const lay = (under, over) => {
    const all = { ...under };
    for (const [key, value] of Object.entries(over)) all[key] = isMap(value) && isMap(all[key]) ? lay(all[key], value) : value;
    return all;
  };
  return configs.reduce(lay, {});
}
