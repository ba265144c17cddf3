/* manifest_internal: what the readers of a manifest share. */
#ifndef ADAPTER_MANIFEST_INTERNAL_H
#define ADAPTER_MANIFEST_INTERNAL_H

#include "adapter/manifest.h"
#include "base/arena.h"
#include "base/buf.h"
#include "yaml/yaml.h"

enum {
    MANIFEST_ARENA_MAX   = 32 << 20, /* bytes */
    MANIFEST_POINTER_MAX = 4 << 10,  /* bytes */
};

/* The manifest with what keeps it alive. */
struct holding {
    struct holding *next;
    struct formula *formula; /* owned; or */
    struct schema *schema;   /* owned */
    json value;              /* frozen, owned */
};

struct manifest_kept {
    struct manifest manifest; /* first, so that the public pointer is this one's too */
    struct arena *arena;      /* owned */
    struct holding *holdings;
};

/* A formula and its place, for what can be said once all is read. */
struct seen_formula {
    struct seen_formula *next;
    json value; /* as it stands in the manifest */
    const char *pointer;
};

/* A manifest that is being read. Its shape is right from action_read.c on. */
struct reading {
    struct manifest_kept *kept;
    struct manifest *manifest;
    struct arena *arena;
    const struct yaml_document *document;
    struct diagnostics *list;
    struct buf pointer;            /* of the value at hand */
    struct seen_formula *formulas; /* in the order of reading; none of one that `is_known` */
    struct seen_formula **formulas_end;
    bool is_known; /* its shape and examples were checked before */
};

/* Zeroed; lives as long as the manifest. */
void *reading_alloc(struct reading *reading, size_t count, size_t size);

/* Steps to a member and back: `size_t back = reading_enter(...); ...; reading_leave(reading,
 * back)`.
 */
size_t reading_enter(struct reading *reading, const char *key);
size_t reading_enter_index(struct reading *reading, size_t index);
void reading_leave(struct reading *reading, size_t back);

/* An error at the value at hand. */
PRINTF_LIKE(3, 4)
struct diagnostic *reading_refuse(struct reading *reading, const char *code, const char *format,
                                  ...);

/* A warning at the value at hand. */
void reading_warn(struct reading *reading, const char *code, const char *text);

/* A text of the manifest; NULL if the member is not there. */
const char *text_at(json map, const char *key);

/* Numbers, durations, sizes; `fallback` if the member is not there. */
int64_t integer_at(json map, const char *key, int64_t fallback);
int64_t duration_at_ms(json map, const char *key, int64_t fallback_ms);
int64_t size_at(json map, const char *key, int64_t fallback);

/* The formula of a member; NULL if it is not there or does not compile (a finding says so). */
struct formula *formula_at(struct reading *reading, json map, const char *key,
                           enum formula_nulls nulls);
struct formula *formula_keeping(struct reading *reading, json map, const char *key, json keep_null);

/* A frozen copy that is the manifest's own. INVALID_ARGUMENT: beyond the limits of JSON. */
status reading_copy(struct reading *reading, json value, json *ret_copy, struct error *reterr);

/* A schema that the manifest is to own; NULL and findings if it does not compile. */
struct schema *schema_at(struct reading *reading, json source);

/* `default` of each of these properties. */
void defaults_read(struct reading *reading, json properties, struct formula_map *ret_defaults);

/* Finds a name of a secret under `key` that the manifest does not have. */
void secret_check(struct reading *reading, json map, const char *key);

void manifest_auth_read(struct reading *reading, json map, struct manifest_auth *ret_auth);
void error_rules_read(struct reading *reading, json map, struct error_rule **ret_rules,
                      size_t *ret_count);
void rate_limit_read(struct reading *reading, json map, struct rate_limit *ret_limit);
void paginations_read(struct reading *reading, json map);
void actions_read(struct reading *reading, json map);

/* The rules between the parts (manifest_lint.c), then the examples (example_check.c). */
void manifest_lint(struct reading *reading);
void members_lint(struct reading *reading);
void files_lint(struct reading *reading, json parameter); /* at its place */
void examples_check(struct reading *reading);

#endif
