/* One call of the module: what was asked, and what was found. All of it in the call's arena. */
#ifndef TOOL_ADAPTER_MEMORY_MEMORY_CALL_H
#define TOOL_ADAPTER_MEMORY_MEMORY_CALL_H

#include "tool-adapter/memory/memory.h"

/** The vector that came with a text. */
struct given_vector {
    float *values; /* NULL: none; the model makes it */
    size_t count;
    str model;   /* empty: not said */
    str version; /* of put_entries: counts only for this one */
};

struct memory_call {
    struct memory_scope scope;
    str asked, label; /* settings of the connection */
    str idempotency_key;

    struct memory_item *items;
    struct given_vector *given; /* of each item; of recall one */
    size_t item_count;

    str query;
    str filter; /* JSON; empty: none */
    str subject, document, prefix;
    str *keys;
    size_t key_count;
    str cursor;
    size_t limit;
    float score_min;
    bool with_vectors;
    str to;

    struct memory_space space;
    struct memory_space *spaces;
    size_t space_count;
    struct memory_page page;
    uint64_t deleted;
    uint64_t next; /* sequence: of reembed */
    bool replaces; /* of reembed: a version by another model that has begun */
    bool gives_up; /* of reembed: the one that has begun, for none */
    bool is_whole; /* of remember: `document` has so many chunks; what it had behind them goes */
    uint64_t chunks;
    bool is_done;
    bool is_again; /* not the first try of this call: what it asked before is bought */
};

static inline struct memory *memory_of(struct module_call *call)
{
    return call->module->context;
}

status memory_read_remember(struct module_call *call, const struct engine_request *request,
                            struct error *reterr);
status memory_read_many(struct module_call *call, const struct engine_request *request,
                        struct error *reterr);
status memory_read_entries(struct module_call *call, const struct engine_request *request,
                           struct error *reterr);
status memory_read_recall(struct module_call *call, const struct engine_request *request,
                          struct error *reterr);
status memory_read_keys(struct module_call *call, const struct engine_request *request,
                        struct error *reterr);
status memory_read_delete(struct module_call *call, const struct engine_request *request,
                          struct error *reterr);
status memory_read_list(struct module_call *call, const struct engine_request *request,
                        struct error *reterr);
status memory_read_stats(struct module_call *call, const struct engine_request *request,
                         struct error *reterr);
status memory_read_reembed(struct module_call *call, const struct engine_request *request,
                           struct error *reterr);

status memory_run_remember(struct module_call *call, struct error *reterr);
status memory_run_recall(struct module_call *call, struct error *reterr);
status memory_run_get(struct module_call *call, struct error *reterr);
status memory_run_delete(struct module_call *call, struct error *reterr);
status memory_run_list(struct module_call *call, struct error *reterr);
status memory_run_stats(struct module_call *call, struct error *reterr);
status memory_run_reembed(struct module_call *call, struct error *reterr);

json memory_answer_id(struct module_call *call);
json memory_answer_ids(struct module_call *call);
json memory_answer_found(struct module_call *call);
json memory_answer_item(struct module_call *call);
json memory_answer_entries(struct module_call *call);
json memory_answer_deleted(struct module_call *call);
json memory_answer_list(struct module_call *call);
json memory_answer_spaces(struct module_call *call);
json memory_answer_reembed(struct module_call *call);

/** "model/dimensions/label", in the arena; "?" for a model that nobody said. */
str memory_version_name(struct arena *arena, const struct memory_version *version);

/** Vectors of texts by a model, of length 1. `*ret_version` gets model, dimensions and asked. */
status memory_embed(struct module_call *call, str model, const str *texts, size_t count,
                    struct memory_version *ret_version, float **ret_vectors, struct error *reterr);

/** FAILED_PRECONDITION, naming both, unless vectors of the second may be compared with the first.
 */
status memory_check_version(struct module_call *call, const struct memory_version *mine,
                            const struct memory_version *theirs, struct error *reterr);

#endif
