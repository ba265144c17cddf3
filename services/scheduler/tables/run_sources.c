#include "scheduler/tables/run_sources.h"

#include "base/assert.h"
#include "scheduler/tables/run_index.h"
#include "scheduler/tables/run_wire.h"

enum { ID_MS_BYTES = 6 /* of the milliseconds that an id begins with */ };

/* --- the plan ----------------------------------------------------------------------------------
 */

struct plan {
    struct txn *txn;
    const struct run_question *question;
    struct run_sources *sources;
    bool is_full; /* it takes more ranges than fit */
};

static struct run_source *add(struct plan *plan, enum table table)
{
    struct run_sources *sources = plan->sources;
    if (sources->count == RUN_SOURCES_MAX) {
        plan->is_full = true;
        return &sources->items[0]; /* what is put there is thrown away */
    }
    struct run_source *source = &sources->items[sources->count++];
    *source                   = (struct run_source){.table = table};
    return source;
}

static bool wants(const Pb__ListRuns *filter, Pb__RunStatus state)
{
    for (size_t i = 0; i < filter->n_status; i++) {
        if (filter->status[i] == state) return true;
    }
    return filter->n_status == 0;
}

static bool wants_open(const Pb__ListRuns *filter)
{
    for (size_t i = 0; i < filter->n_status; i++) {
        if (!run_status_wire_is_final(filter->status[i])) return true;
    }
    return filter->n_status == 0;
}

static void add_in(struct plan *plan, str namespace)
{
    const Pb__ListRuns *filter = plan->question->filter;
    if (filter->n_labels > 0) {
        index_label_key(&add(plan, TABLE_RUN_INDEX)->prefix, namespace, filter->labels[0]);
        return;
    }
    for (int i = PB__RUN_STATUS__RUN_STATUS_COMPLETED; i <= PB__RUN_STATUS__RUN_STATUS_TERMINATED;
         i++) {
        Pb__RunStatus state = (Pb__RunStatus)i;
        if (!wants(filter, state)) continue;
        struct key *prefix = &add(plan, TABLE_RUN_INDEX)->prefix;
        if (*filter->workflow) {
            index_workflow_key(prefix, namespace, str_from(filter->workflow), state);
        } else {
            index_status_key(prefix, namespace, state);
        }
    }
}

/* The same of every namespace. The kind of key decides where to look for them. */
static status add_in_all(struct plan *plan, struct error *reterr)
{
    const Pb__ListRuns *filter = plan->question->filter;
    struct key kind;
    if (filter->n_labels > 0) {
        index_label_key(&kind, (str){}, filter->labels[0]);
    } else if (*filter->workflow) {
        index_workflow_key(&kind, (str){}, (str){}, 0);
    } else {
        index_status_key(&kind, (str){}, 0);
    }
    struct key_text namespace = {};
    bool is_found             = true;
    for (;;) {
        const struct key_text after = namespace;
        TRY(index_next_namespace(plan->txn, &kind, (str){after.data, after.len}, &namespace,
                                 &is_found, reterr));
        if (!is_found || plan->is_full) return STATUS_OK;
        add_in(plan, (str){namespace.data, namespace.len});
    }
}

static bool needs_all(const Pb__ListRuns *filter)
{
    bool is_narrow = *filter->parent || *filter->workflow || filter->n_labels > 0;
    return !is_narrow && wants(filter, PB__RUN_STATUS__RUN_STATUS_COMPLETED);
}

static status choose(struct plan *plan, struct error *reterr)
{
    const struct run_question *question = plan->question;
    const Pb__ListRuns *filter          = question->filter;
    if (*filter->parent) {
        index_parent_key(&add(plan, TABLE_RUN_INDEX)->prefix, str_from(filter->parent));
        return STATUS_OK;
    }
    if (!needs_all(filter)) {
        bool has_open = filter->n_labels == 0 && wants_open(filter);
        if (has_open) (void)add(plan, TABLE_RUN_HEADS);
        if (str_is(question->namespace, "*")) {
            TRY(add_in_all(plan, reterr));
        } else {
            add_in(plan, question->namespace);
        }
        if (!plan->is_full) return STATUS_OK;
    }
    plan->sources->count = 0;
    (void)add(plan, TABLE_RUNS);
    return STATUS_OK;
}

/* --- ranges ------------------------------------------------------------------------------------
 */

/* Times of creation as bounds of ids, which begin with 48 bits of milliseconds. */
static void put_bound(struct key *key, int64_t time_us, int64_t add_ms)
{
    uint64_t ms = (uint64_t)(time_us / 1000 + add_ms);
    for (int i = ID_MS_BYTES - 1; i >= 0; i--) key_put_u8(key, (uint8_t)(ms >> (8 * i)));
}

static status open_source(struct txn *txn, const struct run_question *question,
                          struct run_source *source, struct error *reterr)
{
    const Pb__ListRuns *filter = question->filter;
    struct key from            = source->prefix;
    struct key until           = source->prefix;
    struct key after           = source->prefix;
    struct scan scan           = {.backward = !filter->oldest_first};
    int64_t from_us            = filter->created_after_us;
    if (*filter->parent) { /* children are younger */
        int64_t parent_us = id_unix_ms(str_from(filter->parent)) * 1000;
        if (parent_us > from_us) from_us = parent_us;
    }
    if (source->prefix.len > 0) scan.prefix = key_bytes(&source->prefix);
    if (from_us > 0) {
        put_bound(&from, from_us, 0);
        scan.from = key_bytes(&from);
    }
    if (filter->created_before_us > 0) {
        put_bound(&until, filter->created_before_us, 1);
        scan.until = key_bytes(&until);
    }
    if (question->after.len > 0) {
        key_put_id(&after, question->after);
        scan.after = key_bytes(&after);
    }
    return cursor_open(txn, source->table, &scan, &source->cursor, reterr);
}

static status advance(struct run_source *source, struct error *reterr)
{
    bytes key        = {};
    bytes row        = {};
    status next      = cursor_next(source->cursor, &key, &row, NULL);
    source->has_next = next == STATUS_OK;
    if (next == STATUS_NOT_FOUND) return STATUS_OK;
    if (next != STATUS_OK) return fail(reterr, next, "the runs cannot be read");
    bytes rest = key;
    size_t len = source->prefix.len;
    ASSERT(rest.len >= len);
    rest.ptr = (const uint8_t *)rest.ptr + len;
    rest.len -= len;
    if (key_take_id(&rest, &source->next)) return STATUS_OK;
    return fail(reterr, STATUS_DATA_LOSS, "table %s: a key", table_names[source->table]);
}

status run_sources_open(struct txn *txn, const struct run_question *question,
                        struct run_sources *ret_sources, struct error *reterr)
{
    memset(ret_sources, 0, sizeof *ret_sources); /* too large for a copy on the stack */
    ret_sources->is_oldest_first = question->filter->oldest_first;
    struct plan plan             = {.txn = txn, .question = question, .sources = ret_sources};
    TRY(choose(&plan, reterr));
    for (size_t i = 0; i < ret_sources->count; i++) {
        TRY(open_source(txn, question, &ret_sources->items[i], reterr));
        TRY(advance(&ret_sources->items[i], reterr));
    }
    return STATUS_OK;
}

void run_sources_done(struct run_sources **sources)
{
    for (size_t i = 0; i < (*sources)->count; i++) cursor_close((*sources)->items[i].cursor);
    (*sources)->count = 0;
}

static bool comes_before(const struct run_sources *sources, const struct id *a, const struct id *b)
{
    int order = strcmp(a->text, b->text);
    return sources->is_oldest_first ? order < 0 : order > 0;
}

status run_sources_next(struct run_sources *sources, struct id *ret_run, bool *ret_found,
                        struct error *reterr)
{
    struct run_source *first = NULL;
    for (size_t i = 0; i < sources->count; i++) {
        struct run_source *source = &sources->items[i];
        while (source->has_next && strcmp(source->next.text, sources->last.text) == 0) {
            TRY(advance(source, reterr));
        }
        if (!source->has_next) continue;
        if (!first || comes_before(sources, &source->next, &first->next)) first = source;
    }
    *ret_found = first != NULL;
    if (!first) return STATUS_OK;
    sources->last = first->next;
    *ret_run      = first->next;
    return STATUS_OK;
}

/* --- the filter itself ---------------------------------------------------------------------------
 */

static bool has_label(const Pb__RunView *row, const Pb__Label *wanted)
{
    for (size_t i = 0; i < row->n_labels; i++) {
        if (strcmp(row->labels[i]->key, wanted->key) == 0) {
            return strcmp(row->labels[i]->value, wanted->value) == 0;
        }
    }
    return false;
}

static bool is_meant(const struct run_question *question, const Pb__RunView *row)
{
    const Pb__ListRuns *request = question->filter;
    bool is_any                 = str_is(question->namespace, "*");
    if (!is_any && !str_is(question->namespace, row->namespace_)) return false;
    if (*request->workflow && strcmp(request->workflow, row->workflow) != 0) return false;
    if (*request->version && strcmp(request->version, row->version) != 0) return false;
    if (*request->parent && strcmp(request->parent, row->parent_run) != 0) return false;
    if (request->created_after_us > 0 && row->created_us <= request->created_after_us) return false;
    if (request->created_before_us > 0 && row->created_us >= request->created_before_us) {
        return false;
    }
    for (size_t i = 0; i < request->n_labels; i++) {
        if (!has_label(row, request->labels[i])) return false;
    }
    return true;
}

static bool has_status(const struct run_question *question, Pb__RunStatus found)
{
    if (question->filter->n_status == 0) return true;
    for (size_t i = 0; i < question->filter->n_status; i++) {
        if (question->filter->status[i] == found) return true;
    }
    return false;
}

bool run_question_means(const struct run_question *question, const Pb__RunView *row)
{
    return is_meant(question, row) && has_status(question, row->status);
}
