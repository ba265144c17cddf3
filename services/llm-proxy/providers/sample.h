/** sample: a valid instance of a JSON Schema, made from a seed. */
#ifndef LLM_PROXY_PROVIDERS_SAMPLE_H
#define LLM_PROXY_PROVIDERS_SAMPLE_H

#include "base/buf.h"
#include "base/random.h"
#include "base/status.h"
#include "json/json.h"

enum { SAMPLE_DEPTH_MAX = 32, SAMPLE_ITEMS_MAX = 1'000, SAMPLE_TEXT_MAX = 64 << 10 /* bytes */ };

/**
 * Makes an instance and checks it against the schema. `*ret_value` is owned. INVALID_ARGUMENT: the
 * schema is broken, or asks for more than sampling knows (a `pattern` for instance); says what.
 */
status sample_schema(json schema, struct prng *prng, json *ret_value, struct error *reterr);

/** Appends words of no meaning, `size` bytes of them, as sentences. */
void sample_words(struct prng *prng, size_t size, struct buf *out);

#endif
