#include "scheduler/tables/assistant_store.h"

#include "scheduler/tables/run_wire.h"

enum { ROW_ARENA_MAX = 16 << 20 /* bytes */ };

/* --- one ---------------------------------------------------------------------------------------
 */

static status not_found(const struct assistant_name *name, struct error *reterr)
{
    if (name->version == 0) {
        return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                         "there is no assistant `" STR_FMT "`", STR_ARG(name->name));
    }
    return fail_code(reterr, STATUS_NOT_FOUND, "not_found",
                     "there is no version %u of the assistant `" STR_FMT "`", name->version,
                     STR_ARG(name->name));
}

status assistant_get(struct txn *txn, str namespace, const struct assistant_name *name,
                     struct arena *arena, Pb__AssistantView **ret_view, struct error *reterr)
{
    struct key key;
    Pb__AssistantRecord *record = NULL;
    assistant_key(&key, namespace, name->name, 0);
    status got = record_get(txn, TABLE_ASSISTANTS, key_bytes(&key),
                            &pb__assistant_record__descriptor, arena, &record, NULL);
    if (got == STATUS_NOT_FOUND || (got == STATUS_OK && record->newest == 0)) {
        return not_found(name, reterr);
    }
    if (got != STATUS_OK) return fail(reterr, got, "an assistant cannot be read");

    Pb__AssistantView *view = NULL;
    uint32_t version        = name->version > 0 ? name->version : record->newest;
    assistant_key(&key, namespace, name->name, version);
    got = record_get(txn, TABLE_ASSISTANT_VERSIONS, key_bytes(&key),
                     &pb__assistant_view__descriptor, arena, &view, NULL);
    if (got == STATUS_NOT_FOUND) return not_found(name, reterr);
    if (got != STATUS_OK) return fail(reterr, got, "an assistant cannot be read");
    view->labels   = record->labels;
    view->n_labels = record->n_labels;
    *ret_view      = view;
    return STATUS_OK;
}

bool assistant_has_labels(const Pb__AssistantRecord *record, Pb__Label *const *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool has_it = false;
        for (size_t j = 0; j < record->n_labels && !has_it; j++) {
            has_it = strcmp(record->labels[j]->key, labels[i]->key) == 0 &&
                     strcmp(record->labels[j]->value, labels[i]->value) == 0;
        }
        if (!has_it) return false;
    }
    return true;
}

status assistant_definition(const Pb__AssistantView *view, json *ret_definition,
                            struct error *reterr)
{
    struct error why = {};
    if (json_out(view->definition_json, "assistant", ret_definition, &why) == STATUS_OK) {
        return STATUS_OK;
    }
    return fail(reterr, STATUS_DATA_LOSS, "a stored assistant cannot be read: %s", why.text);
}

/* --- as a source of decisions ------------------------------------------------------------------
 */

/* A look-up: with the caller's transaction, or one of its own. */
struct lookup {
    struct txn *txn;
    struct txn *own; /* NULL: it is the caller's */
    struct arena *arena;
};

static status lookup_begin(const struct assistant_tables *tables, struct lookup *ret_lookup,
                           struct error *reterr)
{
    struct lookup lookup = {.txn = tables->txn, .arena = arena_new(ROW_ARENA_MAX)};
    if (!lookup.arena) return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "no memory");
    if (!lookup.txn) {
        status begun = txn_begin_read(tables->store, &lookup.own, reterr);
        if (begun != STATUS_OK) arena_free(lookup.arena);
        TRY(begun);
        lookup.txn = lookup.own;
    }
    *ret_lookup = lookup;
    return STATUS_OK;
}

static void lookup_done(struct lookup *lookup)
{
    txn_abort(lookup->own);
    arena_free(lookup->arena);
}

static status find(str namespace, const struct assistant_name *name, json *ret_definition,
                   uint32_t *ret_version, struct error *reterr, void *context)
{
    CLEANUP(lookup_done) struct lookup lookup = {};
    Pb__AssistantView *view                   = NULL;
    TRY(lookup_begin(context, &lookup, reterr));
    TRY(assistant_get(lookup.txn, namespace, name, lookup.arena, &view, reterr));
    TRY(assistant_definition(view, ret_definition, reterr));
    *ret_version = view->version;
    return STATUS_OK;
}

struct listing {
    const struct lookup *lookup;
    struct arena *row; /* of one of them: all together may be far larger */
    str namespace;
    Pb__Label *label; /* NULL: all */
    json items;
};

static json labels_new(const Pb__AssistantView *view)
{
    json labels = json_object_new(view->n_labels);
    for (size_t i = 0; i < view->n_labels; i++) {
        json_object_put_text(&labels, view->labels[i]->key,
                             json_text_lossy(str_from(view->labels[i]->value)));
    }
    return labels;
}

static status list_one(bytes, bytes row, struct error *reterr, void *context)
{
    struct listing *list        = context;
    struct arena *arena         = list->row;
    Pb__AssistantRecord *record = NULL;
    arena_clear(arena);
    Pb__AssistantView *view = NULL;
    TRY(record_read(row, &pb__assistant_record__descriptor, arena, &record, reterr));
    if (record->newest == 0) return STATUS_OK;
    if (list->label && !assistant_has_labels(record, &list->label, 1)) return STATUS_OK;

    const struct assistant_name name     = {.name = str_from(record->name)};
    CLEANUP(json_unrefp) json definition = json_invalid();
    TRY(assistant_get(list->lookup->txn, list->namespace, &name, arena, &view, reterr));
    TRY(assistant_definition(view, &definition, reterr));
    json description = json_get_text(definition, "description");
    bool has_one     = description.kind == JSON_TEXT;
    json item        = json_object_new(4);
    json_object_put_text(&item, "name", json_text_lossy(str_from(view->name)));
    json_object_put_text(&item, "version", json_int(view->version));
    json_object_put_text(&item, "description",
                         has_one ? json_ref(description) : json_text_from(""));
    json_object_put_text(&item, "labels", labels_new(view));
    json_array_push(&list->items, item);
    return STATUS_OK;
}

static status list(str namespace, str label, json *ret_assistants, struct error *reterr,
                   void *context)
{
    CLEANUP(lookup_done) struct lookup lookup = {};
    CLEANUP(arena_freep) struct arena *row    = arena_new(ROW_ARENA_MAX);
    TRY(lookup_begin(context, &lookup, reterr));
    const char *colon = label.len > 0 ? memchr(label.ptr, ':', label.len) : NULL;
    if (label.len > 0 && !colon) {
        return fail(reterr, STATUS_INVALID_ARGUMENT, "label: write key:value");
    }
    Pb__Label wanted = PB__LABEL__INIT;
    if (colon) {
        size_t at    = (size_t)(colon - label.ptr);
        wanted.key   = text_in(lookup.arena, str_slice(label, 0, at));
        wanted.value = text_in(lookup.arena, str_slice(label, at + 1, label.len));
    }
    CLEANUP(json_unrefp) json items = json_array_new(8);
    struct listing listing          = {.lookup    = &lookup,
                                       .row       = row,
                                       .namespace = namespace,
                                       .label     = colon ? &wanted : NULL,
                                       .items     = json_take(&items)};
    struct key prefix;
    struct page page = {};
    assistant_key(&prefix, namespace, (str){}, 0);
    const struct scan scan = {.prefix = key_bytes(&prefix)};
    status read = txn_page(lookup.txn, TABLE_ASSISTANTS, &scan, ASSISTANTS_MAX, &page, list_one,
                           &listing, reterr);
    items       = listing.items;
    TRY(read);
    *ret_assistants = json_take(&items);
    return STATUS_OK;
}

struct assistant_source assistant_source_of(struct assistant_tables *tables)
{
    return (struct assistant_source){.find = find, .list = list, .context = tables};
}
