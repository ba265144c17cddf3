#include "scheduler/tables/function_registry.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"
#include "scheduler/tables/tables.h"
#include "json/json_text.h"

#include <pthread.h>
#include <stdlib.h>

struct function_registry {
    pthread_mutex_t mutex;                  /* guards the pointer */
    const struct function_catalog *catalog; /* a reference */
};

struct function_registry *function_registry_new(void)
{
    struct function_registry *registry = mem_new(1, sizeof *registry);
    int failed                         = pthread_mutex_init(&registry->mutex, NULL);
    ASSERT(!failed);
    CLEANUP(json_unrefp) json builtin = function_builtin_new();
    status made = function_catalog_new(NULL, builtin, &registry->catalog, NULL);
    ASSERT(made == STATUS_OK); /* ours */
    return registry;
}

void function_registry_free(struct function_registry *registry)
{
    if (!registry) return;
    function_catalog_unref(registry->catalog);
    (void)pthread_mutex_destroy(&registry->mutex);
    free(registry);
}

const struct function_catalog *function_registry_get(struct function_registry *registry)
{
    int failed = pthread_mutex_lock(&registry->mutex);
    ASSERT(!failed);
    const struct function_catalog *catalog = function_catalog_ref(registry->catalog);
    failed                                 = pthread_mutex_unlock(&registry->mutex);
    ASSERT(!failed);
    return catalog;
}

/* Only the thread of the system partition's engine, or the one that starts, comes here. */
void function_registry_add(struct function_registry *registry, json functions)
{
    if (json_count(functions) == 0) return;
    struct error error                  = {};
    const struct function_catalog *next = NULL;
    status made = function_catalog_new(registry->catalog, functions, &next, &error);
    if (made != STATUS_OK) {
        log_write(LOG_ERROR, "functions.not_added", LOG_TEXT_OF("error", error.text));
        return;
    }
    int failed = pthread_mutex_lock(&registry->mutex);
    ASSERT(!failed);
    const struct function_catalog *outdated = registry->catalog;
    registry->catalog                       = next;
    failed                                  = pthread_mutex_unlock(&registry->mutex);
    ASSERT(!failed);
    function_catalog_unref(outdated);
}

/* --- loading ------------------------------------------------------------------------------------
 */

static status take_row(bytes, bytes row, struct error *, void *context)
{
    json *list                              = context;
    json value                              = json_invalid();
    struct error why                        = {};
    struct function_description description = {};
    str text                                = {row.ptr, row.len};
    status read                             = json_parse(text, NULL, &value, NULL, &why);
    if (read == STATUS_OK) read = function_description_read(value, &description, &why);
    if (read == STATUS_OK) {
        json_array_push(list, value);
        return STATUS_OK;
    }
    json_unref(value);
    log_write(LOG_WARN, "functions.unreadable", LOG_TEXT_OF("error", why.text));
    return STATUS_OK;
}

status function_registry_load(struct function_registry *registry, struct store *store,
                              struct error *reterr)
{
    CLEANUP(json_unrefp) json list      = json_array_new(16);
    CLEANUP(txn_abortp) struct txn *txn = NULL;
    struct page page                    = {};
    const struct scan scan              = {};
    TRY(txn_begin_read(store, &txn, reterr));
    TRY(txn_page(txn, TABLE_FUNCTIONS, &scan, FUNCTIONS_MAX, &page, take_row, &list, reterr));
    function_registry_add(registry, list);
    return STATUS_OK;
}

void function_refuse(struct arena *arena, Pb__RegisteredFunctions *answer, uint32_t index,
                     const struct function_description *description, const char *why)
{
    Pb__FunctionRefusal *refusal = arena_alloc(arena, sizeof *refusal);
    if (!refusal) return;
    *refusal       = (Pb__FunctionRefusal)PB__FUNCTION_REFUSAL__INIT;
    refusal->index = index;
    if (description->name) {
        const char *name = arena_printf(arena, "%s:%s", description->name, description->version);
        if (name) refusal->function = name;
    }
    refusal->detail                      = text_in(arena, str_from(why));
    answer->refused[answer->n_refused++] = refusal;
}
