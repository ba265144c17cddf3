/* What the calls do, on a thread of the pool. */
#include "base/log.h"
#include "tool-adapter/memory/memory_call.h"
#include "tool-adapter/memory/vectors.h"
#include "json/json_text.h"

static struct memory_until until_of(const struct module_call *call)
{
    return (struct memory_until){.is_cancelled = &call->is_cancelled,
                                 .deadline_ms  = call->deadline_ms};
}

/* Names the way out in the log while the search still answers. */
static void note_size(struct module_call *call)
{
    struct memory *memory            = memory_of(call);
    const struct memory_call *about  = call->about;
    const struct memory_space *space = &about->space;
    bool is_slow                     = space->id != 0 && space->count >= memory->slow_count;
    if (!is_slow || !slow_spaces_add(&memory->slow, space->id)) return;
    log_write(LOG_WARN, "memory.slow: search looks at every entry; Qdrant is the better place",
              LOG_STR("namespace", about->scope.tenant), LOG_STR("memory", about->scope.namespace),
              LOG_INT("entries", (int64_t)space->count),
              LOG_TEXT_OF("see", "docs/guide/memory.md"));
}

str memory_version_name(struct arena *arena, const struct memory_version *version)
{
    str model        = version->model.len > 0 ? version->model : str_from("?");
    const char *name = arena_printf(arena, STR_FMT "/%u/" STR_FMT, STR_ARG(model),
                                    version->dimensions, STR_ARG(version->label));
    return str_from(name ? name : "?");
}

status memory_check_version(struct module_call *call, const struct memory_version *mine,
                            const struct memory_version *theirs, struct error *reterr)
{
    bool is_said = mine->model.len > 0 && theirs->model.len > 0;
    if (mine->dimensions == theirs->dimensions &&
        (!is_said || str_equal(mine->model, theirs->model))) {
        return STATUS_OK;
    }
    struct memory_version other = *theirs;
    if (other.label.len == 0) other.label = mine->label;
    str a = memory_version_name(call->arena, mine);
    str b = memory_version_name(call->arena, &other);
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the namespace holds vectors of " STR_FMT ", this one is of " STR_FMT
                "; memory.reembed changes that",
                STR_ARG(a), STR_ARG(b));
}

static_assert((int)MEMORY_DIMENSIONS_MAX == (int)EMBED_DIMENSIONS_MAX &&
                  (int)MEMORY_MODEL_MAX == (int)EMBED_MODEL_MAX,
              "what is embedded can be kept");

status memory_embed(struct module_call *call, str model, const str *texts, size_t count,
                    struct memory_version *ret_version, float **ret_vectors, struct error *reterr)
{
    struct memory *memory           = memory_of(call);
    const struct memory_call *about = call->about;
    struct embed_answer answer      = {};
    struct engine_payer payer       = call->payer;
    payer.is_owed                   = payer.is_owed && !about->is_again;
    const struct embed_ask question = {.model           = model,
                                       .tenant          = about->scope.tenant,
                                       .payer           = payer,
                                       .texts           = texts,
                                       .count           = count,
                                       .idempotency_key = about->idempotency_key,
                                       .arena           = call->arena,
                                       .is_cancelled    = &call->is_cancelled,
                                       .deadline_ms     = call->deadline_ms};
    status code =
        memory->embedder.embed(memory->embedder.self, &question, &answer, &call->usage, reterr);
    call->has_usage = call->has_usage || call->usage.calls > 0;
    TRY(code);
    if (answer.dimensions == 0 || answer.dimensions > MEMORY_DIMENSIONS_MAX) {
        return fail(reterr, STATUS_UNAVAILABLE, "the embedding model answered no vectors");
    }
    for (size_t i = 0; i < count; i++) {
        if (vector_normalise(answer.vectors + i * answer.dimensions, answer.dimensions)) continue;
        return fail(reterr, STATUS_UNAVAILABLE, "the embedding model answered a vector of zeros");
    }
    *ret_version = (struct memory_version){
        .model = answer.model, .dimensions = answer.dimensions, .asked = model};
    *ret_vectors = answer.vectors;
    return STATUS_OK;
}

/* --- remember -----------------------------------------------------------------------------------
 */

/* A vector that came with an entry of another version does not count. */
static bool is_given(struct module_call *call, const struct memory_call *about, size_t at)
{
    const struct given_vector *given     = &about->given[at];
    const struct memory_version *current = &about->space.versions[MEMORY_CURRENT];
    if (!given->values) return false;
    if (given->version.len == 0) return true;
    return current->id && str_equal(given->version, memory_version_name(call->arena, current));
}

/* Vectors of the texts that have none of this version; the version itself, if it is new. */
static status embed_missing(struct module_call *call, unsigned which, struct error *reterr)
{
    struct memory_call *about      = call->about;
    struct memory_version *version = &about->space.versions[which];
    struct memory_version made     = {};
    str *texts                     = NULL;
    float *vectors                 = NULL;
    void *place                    = NULL;
    size_t count                   = 0;
    TRY(module_alloc(call->arena, about->item_count, sizeof *texts, &place, reterr));
    texts = place;
    for (size_t i = 0; i < about->item_count; i++) {
        const struct memory_item *item = &about->items[i];
        bool is_there =
            item->is_known[which] || (which == MEMORY_CURRENT && is_given(call, about, i));
        if (!is_there) texts[count++] = item->content;
    }
    if (count == 0) return STATUS_OK;
    str asked = version->asked.len > 0 ? version->asked : about->asked;
    TRY(memory_embed(call, asked, texts, count, &made, &vectors, reterr));
    if (version->id || version->dimensions) {
        TRY(memory_check_version(call, version, &made, reterr));
    } else {
        made.label = about->label;
        *version   = made;
    }
    size_t at = 0;
    for (size_t i = 0; i < about->item_count; i++) {
        struct memory_item *item = &about->items[i];
        bool is_there =
            item->is_known[which] || (which == MEMORY_CURRENT && is_given(call, about, i));
        if (!is_there) item->vectors[which] = vectors + made.dimensions * at++;
    }
    return STATUS_OK;
}

static status use_given(struct module_call *call, struct error *reterr)
{
    struct memory_call *about      = call->about;
    struct memory_version *version = &about->space.versions[MEMORY_CURRENT];
    for (size_t i = 0; i < about->item_count; i++) {
        const struct given_vector *given = &about->given[i];
        struct memory_version theirs     = {.dimensions = (uint32_t)given->count,
                                            .model      = given->model,
                                            .asked      = about->asked,
                                            .label      = about->label};
        if (!is_given(call, about, i)) continue;
        if (!version->id && !version->dimensions) *version = theirs;
        TRY(memory_check_version(call, version, &theirs, reterr));
        if (!vector_normalise(given->values, given->count)) {
            return fail(reterr, STATUS_INVALID_ARGUMENT, "a `vector` of zeros has no direction");
        }
        about->items[i].vectors[MEMORY_CURRENT] = given->values;
    }
    return STATUS_OK;
}

static status remember_once(struct module_call *call, struct error *reterr)
{
    struct memory *memory     = memory_of(call);
    struct memory_call *about = call->about;
    for (size_t i = 0; i < about->item_count; i++) {
        memset(about->items[i].vectors, 0, sizeof about->items[i].vectors);
    }
    TRY(memory_look(memory->store, &about->scope, about->items, about->item_count, call->arena,
                    &about->space, reterr));
    note_size(call);
    TRY(use_given(call, reterr));
    TRY(embed_missing(call, MEMORY_CURRENT, reterr));
    if (about->space.versions[MEMORY_NEXT].id) TRY(embed_missing(call, MEMORY_NEXT, reterr));
    return memory_write(memory->store, &about->scope, &about->space, about->items,
                        about->item_count, memory->now_us(), reterr);
}

static status too_many_tries(struct error *reterr)
{
    return fail(reterr, STATUS_UNAVAILABLE, "the namespace is being changed by others");
}

/* What a document had before and has no more. After what it has: who reads meanwhile finds too much
 * rather than nothing. */
static status drop_chunks(struct module_call *call, struct error *reterr)
{
    struct memory_call *about       = call->about;
    const struct memory_until until = until_of(call);
    if (!about->is_whole) return STATUS_OK;
    const struct memory_filter gone = {
        .document = about->document, .chunks_only = true, .chunk_min = about->chunks};
    return memory_delete_matching(memory_of(call)->store, &about->scope, &gone, &until,
                                  &about->deleted, reterr);
}

static status remember(struct module_call *call, struct error *reterr)
{
    struct memory_call *about = call->about;
    if (about->item_count == 0) return STATUS_OK;
    for (unsigned i = 0; i < MEMORY_TRIES; i++) {
        about->is_again = i > 0;
        status code     = remember_once(call, reterr);
        if (code != STATUS_ABORTED || memory_store_is_failed(memory_of(call)->store)) return code;
    }
    return too_many_tries(reterr);
}

status memory_run_remember(struct module_call *call, struct error *reterr)
{
    TRY(remember(call, reterr));
    return drop_chunks(call, reterr);
}

/* --- recall -------------------------------------------------------------------------------------
 */

static status query_vector(struct module_call *call, float **ret_vector, struct error *reterr)
{
    struct memory_call *about            = call->about;
    const struct memory_version *current = &about->space.versions[MEMORY_CURRENT];
    struct memory_version theirs         = {.dimensions = (uint32_t)about->given->count,
                                            .model      = about->given->model};
    *ret_vector                          = about->given->values;
    if (!*ret_vector) {
        str asked = current->asked.len > 0 ? current->asked : about->asked;
        TRY(memory_embed(call, asked, &about->query, 1, &theirs, ret_vector, reterr));
    } else if (!vector_normalise(*ret_vector, about->given->count)) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "a `vector` of zeros has no direction");
    }
    return memory_check_version(call, current, &theirs, reterr);
}

/* The filter is parsed here: its value belongs to this thread. */
static status read_filter(const struct memory_call *about, json *ret_metadata,
                          struct memory_filter *ret_filter, struct error *reterr)
{
    if (about->filter.len > 0) TRY(json_parse(about->filter, NULL, ret_metadata, NULL, reterr));
    *ret_filter = (struct memory_filter){.metadata = *ret_metadata,
                                         .subject  = about->subject,
                                         .document = about->document,
                                         .prefix   = about->prefix};
    return STATUS_OK;
}

static status recall_once(struct module_call *call, json *metadata, struct error *reterr)
{
    struct memory *memory     = memory_of(call);
    struct memory_call *about = call->about;
    struct memory_query query = {
        .limit = about->limit, .score_min = about->score_min, .until = until_of(call)};
    float *vector = NULL;
    TRY(read_filter(about, metadata, &query.filter, reterr));
    TRY(memory_space_find(memory->store, &about->scope, call->arena, &about->space, reterr));
    note_size(call);
    if (about->space.id == 0 || about->space.count == 0) return STATUS_OK;
    TRY(query_vector(call, &vector, reterr));
    query.vector = vector;
    return memory_recall(memory->store, &about->scope, &about->space, &query, call->arena,
                         &about->page, reterr);
}

status memory_run_recall(struct module_call *call, struct error *reterr)
{
    struct memory_call *about = call->about;
    for (unsigned i = 0; i < MEMORY_TRIES; i++) {
        about->is_again                    = i > 0;
        CLEANUP(json_unrefp) json metadata = json_invalid();
        status code                        = recall_once(call, &metadata, reterr);
        if (code != STATUS_ABORTED) return code;
    }
    return too_many_tries(reterr);
}

/* --- the others ---------------------------------------------------------------------------------
 */

status memory_run_get(struct module_call *call, struct error *reterr)
{
    struct memory *memory         = memory_of(call);
    struct memory_call *about     = call->about;
    const struct memory_keys keys = {
        .items = about->keys, .count = about->key_count, .with_vectors = about->with_vectors};
    return memory_get(memory->store, &about->scope, &keys, call->arena, &about->page, reterr);
}

status memory_run_delete(struct module_call *call, struct error *reterr)
{
    const struct memory_until until    = until_of(call);
    struct memory *memory              = memory_of(call);
    struct memory_call *about          = call->about;
    struct memory_filter filter        = {};
    CLEANUP(json_unrefp) json metadata = json_invalid();
    if (about->keys) {
        return memory_delete_keys(memory->store, &about->scope, about->keys, about->key_count,
                                  &about->deleted, reterr);
    }
    TRY(read_filter(about, &metadata, &filter, reterr));
    return memory_delete_matching(memory->store, &about->scope, &filter, &until, &about->deleted,
                                  reterr);
}

status memory_run_list(struct module_call *call, struct error *reterr)
{
    const struct memory_until until    = until_of(call);
    struct memory *memory              = memory_of(call);
    struct memory_call *about          = call->about;
    struct memory_filter filter        = {};
    CLEANUP(json_unrefp) json metadata = json_invalid();
    TRY(read_filter(about, &metadata, &filter, reterr));
    filter.after = about->cursor;
    filter.limit = about->limit;
    return memory_list(memory->store, &about->scope, &filter, &until, call->arena, &about->page,
                       reterr);
}

status memory_run_stats(struct module_call *call, struct error *reterr)
{
    struct memory *memory     = memory_of(call);
    struct memory_call *about = call->about;
    if (about->scope.namespace.len == 0) {
        return memory_spaces(memory->store, &about->scope, call->arena, &about->spaces,
                             &about->space_count, reterr);
    }
    TRY(memory_space_find(memory->store, &about->scope, call->arena, &about->space, reterr));
    about->space.name  = about->scope.namespace;
    about->spaces      = &about->space;
    about->space_count = about->space.id ? 1 : 0;
    return STATUS_OK;
}

/* --- another version ----------------------------------------------------------------------------
 */

/* What has begun is given up; the next one is made from the first entry on. */
static status drop_begun(struct module_call *call, struct error *reterr)
{
    struct memory *memory     = memory_of(call);
    struct memory_call *about = call->about;
    TRY(memory_drop_next(memory->store, &about->scope, about->space.versions[MEMORY_NEXT].id,
                         reterr));
    about->next = 0;
    return memory_space_find(memory->store, &about->scope, call->arena, &about->space, reterr);
}

static status check_target(struct module_call *call, struct error *reterr)
{
    struct memory_call *about         = call->about;
    const struct memory_version *next = &about->space.versions[MEMORY_NEXT];
    if (!next->id) return STATUS_OK;
    if (str_equal(next->asked, about->to) && str_equal(next->label, about->label)) return STATUS_OK;
    if (about->replaces) return drop_begun(call, reterr);
    str name = memory_version_name(call->arena, next);
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the namespace is being embedded by " STR_FMT " as " STR_FMT "; " STR_FMT
                " comes after it is done, or in its place with `replace: true`",
                STR_ARG(next->asked), STR_ARG(name), STR_ARG(about->to));
}

static bool is_there_already(const struct memory_call *about)
{
    const struct memory_version *current = &about->space.versions[MEMORY_CURRENT];
    return !about->space.versions[MEMORY_NEXT].id && str_equal(current->asked, about->to) &&
           str_equal(current->label, about->label);
}

/* A route may lead to another model by now than when it began. */
static status check_begun(struct module_call *call, const struct memory_version *made,
                          struct error *reterr)
{
    struct memory_call *about         = call->about;
    const struct memory_version *next = &about->space.versions[MEMORY_NEXT];
    bool is_same = str_equal(next->model, made->model) && next->dimensions == made->dimensions;
    if (!next->id || is_same) return STATUS_OK;
    if (about->replaces) return drop_begun(call, reterr);
    return fail(reterr, STATUS_FAILED_PRECONDITION,
                "the namespace is being embedded by " STR_FMT ", and this is " STR_FMT
                " now: `replace: true` begins anew, `give_up: true` gives it up",
                STR_ARG(memory_version_name(call->arena, next)),
                STR_ARG(memory_version_name(call->arena, made)));
}

static status embed_entries(struct module_call *call, struct error *reterr)
{
    struct memory_call *about  = call->about;
    struct memory_version next = {};
    float *all                 = NULL;
    void *texts                = NULL;
    void *vectors              = NULL;
    size_t count               = about->page.count;
    TRY(module_alloc(call->arena, count, sizeof(str), &texts, reterr));
    TRY(module_alloc(call->arena, count, sizeof(float *), &vectors, reterr));
    for (size_t i = 0; i < count; i++) ((str *)texts)[i] = about->page.entries[i].content;
    TRY(memory_embed(call, about->to, texts, count, &next, &all, reterr));
    next.label = about->label;
    TRY(check_begun(call, &next, reterr));
    for (size_t i = 0; i < count; i++) {
        ((float **)vectors)[i] = all + i * next.dimensions;
    }
    return memory_embed_next(memory_of(call)->store, &about->scope, &next, about->page.entries,
                             count, vectors, reterr);
}

status memory_run_reembed(struct module_call *call, struct error *reterr)
{
    struct memory *memory     = memory_of(call);
    struct memory_call *about = call->about;
    bool is_switched          = false;
    TRY(memory_space_find(memory->store, &about->scope, call->arena, &about->space, reterr));
    if (about->gives_up) {
        TRY(drop_begun(call, reterr));
        return memory_switch(memory->store, &about->scope, &is_switched, &about->is_done, reterr);
    }
    TRY(check_target(call, reterr));
    if (!is_there_already(about)) {
        TRY(memory_unembedded(memory->store, &about->scope, about->next, about->limit, call->arena,
                              &about->page, reterr));
        if (about->page.count > 0) TRY(embed_entries(call, reterr));
    }
    about->next = about->page.last;
    if (about->next != 0) return STATUS_OK;
    return memory_switch(memory->store, &about->scope, &is_switched, &about->is_done, reterr);
}
