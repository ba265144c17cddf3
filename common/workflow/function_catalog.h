/**
 * function_catalog: what `call: name[:version][@catalog]` can name, beside the calls of the
 * language itself: an immutable set of descriptions of functions.
 *
 * A worker says what it can do with one description per function and version; a catalog is made of
 * them once and then only read. Its outside form is JSON: the items of `GET /v1/tools`, the rows of
 * the scheduler's table, the pins of a stored workflow and the files for `tutti validate --catalog`
 * all look the same:
 *
 *     { "name": "slack.send_message", "version": "1.2.0", "queue": "tools", "effect": "send",
 *       "summary": "Posts a message", "idempotency": "key", "streaming": false,
 *       "input_schema": {...}, "output_schema": {...},
 *       "compensation": { "summary": "Deletes it", "functions": [ "slack.delete_message" ] } }
 *
 * The input schema says everything that `with` may hold, reserved parameters of adapters included;
 * it is closed if it says `additionalProperties: false`.
 *
 * Threads: immutable; shared by reference (atomic count).
 * Limits: FUNCTIONS_MAX descriptions, FUNCTION_SIZE_MAX bytes each.
 *
 * Does not know queues, workers or who may call what.
 */
#ifndef WORKFLOW_FUNCTION_CATALOG_H
#define WORKFLOW_FUNCTION_CATALOG_H

#include "base/status.h"
#include "base/str.h"
#include "json/json.h"

enum {
    FUNCTIONS_MAX         = 4'096,
    FUNCTION_SIZE_MAX     = 128 << 10, /* bytes of a description as JSON */
    FUNCTION_NAME_MAX     = 127,       /* bytes: "adapter.action", two names of 63 */
    FUNCTION_VERSION_MAX  = 32,        /* bytes */
    FUNCTION_SUMMARY_MAX  = 1'024,     /* bytes */
    FUNCTION_SELECTOR_MAX = 255,       /* bytes of "name:version@catalog" */
};

/** What a call does to the world outside (tool-adapter manifests, `effect`). */
enum function_effect {
    EFFECT_READ, /* changes nothing */
    EFFECT_CREATE,
    EFFECT_UPDATE,
    EFFECT_DELETE,
    EFFECT_SEND, /* somebody is told */
    EFFECT_COUNT,
};

/** What may be done after a call whose outcome is not known. */
enum function_idempotency {
    IDEMPOTENCY_NATURAL, /* twice is the same as once; every read */
    IDEMPOTENCY_KEY,     /* the service honours the job's key */
    IDEMPOTENCY_LOOKUP,  /* what the first attempt did can be found */
    IDEMPOTENCY_COMPARE, /* the present state says whether it happened */
    IDEMPOTENCY_NONE,    /* never repeated by itself */
    IDEMPOTENCY_VARIES,  /* depends on the arguments: the worker knows */
    IDEMPOTENCY_COUNT,
};

/** All texts and values live as long as what the description came from. */
struct function_description {
    const char *name;     /* "slack.send_message" */
    const char *version;  /* "1.2.0": three numbers */
    const char *queue;    /* of its jobs */
    const char *summary;  /* "" if none */
    const char *alias_of; /* the name that it has now; NULL: it is no other one's alias */
    enum function_effect effect;
    enum function_idempotency idempotency;
    json input_schema;  /* JSON_INVALID: anything */
    json output_schema; /* JSON_INVALID: anything */
    json compensation;  /* object: how the worker undoes it; JSON_INVALID: it declares none */
    bool is_streaming;  /* its output comes in pieces */
    json source;        /* the whole, as it was registered; JSON_INVALID: built in */
};

const char *effect_name(enum function_effect effect);
const char *idempotency_name(enum function_idempotency idempotency);

/**
 * Reads one description; its texts are views of `source`. INVALID_ARGUMENT: the text says which
 * member is wrong. Schemas are compiled once to see that they can be.
 */
status function_description_read(json source, struct function_description *ret_description,
                                 struct error *reterr);

/** Says whether two descriptions of one name and version promise the same; the summary may differ.
 */
bool function_contract_equal(const struct function_description *a,
                             const struct function_description *b);

/** "name[:version][@catalog]" in its parts; views of `text`, empty if not given. False: it has
 * another form. */
struct function_selector {
    str name;
    str version; /* "1", "1.2" or "1.2.0"; not checked */
    str catalog; /* empty: default */
};
bool function_selector_read(str text, struct function_selector *ret_selector);

/** Says whether the version `there` ("1.2.0") is what `wanted` ("", "1", "1.2", "1.2.0") means. */
bool function_version_matches(str there, str wanted);

struct function_catalog;

/**
 * A catalog of `base` (NULL: none) and the descriptions in the array `functions`, which win over
 * those of `base` of the same name and version. Copies. A new reference: function_catalog_unref().
 * INVALID_ARGUMENT: names the entry at fault; RESOURCE_EXHAUSTED: over FUNCTIONS_MAX.
 */
status function_catalog_new(const struct function_catalog *base, json functions,
                            const struct function_catalog **ret_catalog, struct error *reterr);

const struct function_catalog *function_catalog_ref(const struct function_catalog *catalog);
void function_catalog_unref(const struct function_catalog *catalog);
void function_catalog_unrefp(const struct function_catalog **catalog);

/** The newest version that `version` means; NULL: none. Valid as long as `catalog`, which may be
 * NULL, as in all that follow. */
const struct function_description *function_catalog_find(const struct function_catalog *catalog,
                                                         str name, str version);

/** All of them, by name, newest version first; NULL beyond the end. */
const struct function_description *function_catalog_at(const struct function_catalog *catalog,
                                                       size_t index);
size_t function_catalog_count(const struct function_catalog *catalog);

/** The functions that need no registration ("llm.chat"), as an array of descriptions. Owned. */
json function_builtin_new(void);
bool function_is_builtin(str name);

#endif
