#include "workflow/function_catalog.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "workflow/workflow.h"
#include "json/json_text.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct function_catalog {
    atomic_uint references;
    struct function_description *items; /* by name, newest version first; texts in the sources */
    size_t count;
};

/* The public pointer is const, since nobody may change a catalog; its count is ours. */
static struct function_catalog *own(const struct function_catalog *catalog)
{
    return (struct function_catalog *)(uintptr_t)catalog;
}

const struct function_catalog *function_catalog_ref(const struct function_catalog *catalog)
{
    if (!catalog) return NULL;
    uint32_t before = atomic_fetch_add_explicit(&own(catalog)->references, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return catalog;
}

void function_catalog_unref(const struct function_catalog *catalog)
{
    if (!catalog) return;
    struct function_catalog *mine = own(catalog);
    uint32_t before = atomic_fetch_sub_explicit(&mine->references, 1, memory_order_acq_rel);
    ASSERT(before > 0);
    if (before > 1) return;
    for (size_t i = 0; i < mine->count; i++) json_thaw_and_free(mine->items[i].source);
    free(mine->items);
    free(mine);
}

void function_catalog_unrefp(const struct function_catalog **catalog)
{
    function_catalog_unref(*catalog);
    *catalog = NULL;
}

/* --- making -------------------------------------------------------------------------------------
 */

static int compare_versions(const struct function_description *a,
                            const struct function_description *b)
{
    int names = strcmp(a->name, b->name);
    return names ? names : version_compare(str_from(b->version), str_from(a->version));
}

static int compare_items(const void *a, const void *b)
{
    return compare_versions(a, b);
}

/* A frozen copy of a description: threads may share it whoever owned the value before. */
static status description_copy(json source, struct function_description *ret_description,
                               struct error *reterr)
{
    CLEANUP(buf_done) struct buf text = buf_init(FUNCTION_SIZE_MAX);
    CLEANUP(json_unrefp) json copy    = json_invalid();
    if (!json_print(source, JSON_COMPACT, &text)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "a description has at most %d bytes", FUNCTION_SIZE_MAX);
    }
    TRY(json_parse(buf_str(&text), NULL, &copy, NULL, reterr));
    struct function_description description = {};
    TRY(function_description_read(copy, &description, reterr));
    (void)json_freeze(json_take(&copy));
    *ret_description = description;
    return STATUS_OK;
}

static bool is_replaced(const struct function_description *old,
                        const struct function_description *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (compare_versions(old, &items[i]) == 0) return true;
    }
    return false;
}

static status add_one(struct function_catalog *catalog, json source, struct error *reterr)
{
    struct function_description description = {};
    TRY(description_copy(source, &description, reterr));
    if (!is_replaced(&description, catalog->items, catalog->count)) {
        catalog->items[catalog->count++] = description;
        return STATUS_OK;
    }
    status code = fail(reterr, STATUS_INVALID_ARGUMENT, "%s:%s is there already", description.name,
                       description.version);
    json_thaw_and_free(description.source);
    return code;
}

static status add_new(struct function_catalog *catalog, json functions, struct error *reterr)
{
    for (size_t i = 0; i < json_count(functions); i++) {
        struct error why = {};
        status added     = add_one(catalog, json_at(functions, i), &why);
        if (added != STATUS_OK) {
            return fail_code(reterr, added, "invalid_request", "[%zu]: %s", i, why.text);
        }
    }
    return STATUS_OK;
}

static status add_old(struct function_catalog *catalog, const struct function_catalog *base,
                      size_t new_count, struct error *reterr)
{
    for (size_t i = 0; i < function_catalog_count(base); i++) {
        const struct function_description *old = &base->items[i];
        if (is_replaced(old, catalog->items, new_count)) continue;
        TRY(description_copy(old->source, &catalog->items[catalog->count], reterr));
        catalog->count++;
    }
    return STATUS_OK;
}

status function_catalog_new(const struct function_catalog *base, json functions,
                            const struct function_catalog **ret_catalog, struct error *reterr)
{
    if (!json_is(functions, JSON_ARRAY)) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "a catalog is a list of functions");
    }
    size_t count = function_catalog_count(base) + json_count(functions);
    if (count > FUNCTIONS_MAX) {
        return fail_code(reterr, STATUS_RESOURCE_EXHAUSTED, "quota_exceeded",
                         "a catalog has at most %d functions", FUNCTIONS_MAX);
    }
    struct function_catalog *catalog = mem_new(1, sizeof *catalog);
    CLEANUP(function_catalog_unrefp) const struct function_catalog *made = catalog;
    atomic_init(&catalog->references, 1);
    catalog->items = mem_new(count + 1, sizeof *catalog->items);
    TRY(add_new(catalog, functions, reterr));
    TRY(add_old(catalog, base, catalog->count, reterr));
    qsort(catalog->items, catalog->count, sizeof *catalog->items, compare_items);
    *ret_catalog = TAKE(made);
    return STATUS_OK;
}

/* --- looking ------------------------------------------------------------------------------------
 */

size_t function_catalog_count(const struct function_catalog *catalog)
{
    return catalog ? catalog->count : 0;
}

const struct function_description *function_catalog_at(const struct function_catalog *catalog,
                                                       size_t index)
{
    return index < function_catalog_count(catalog) ? &catalog->items[index] : NULL;
}

/* The place of the first item whose name is not below `name`. */
static size_t first_of(const struct function_catalog *catalog, str name)
{
    size_t from = 0;
    size_t to   = function_catalog_count(catalog);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        str there     = str_from(catalog->items[middle].name);
        size_t len    = there.len < name.len ? there.len : name.len;
        int order     = memcmp(there.ptr, name.ptr, len);
        if (order < 0 || (order == 0 && there.len < name.len)) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

const struct function_description *function_catalog_find(const struct function_catalog *catalog,
                                                         str name, str version)
{
    size_t count = function_catalog_count(catalog);
    for (size_t i = first_of(catalog, name); i < count; i++) {
        const struct function_description *item = &catalog->items[i];
        if (!str_is(name, item->name)) return NULL;
        if (function_version_matches(str_from(item->version), version)) return item;
    }
    return NULL;
}
