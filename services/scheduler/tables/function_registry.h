/**
 * function_registry: the catalog of the functions that workers have registered, for all threads.
 *
 * The truth is in TABLE_FUNCTIONS of the system partition; this is made from it at start and grows
 * with each registration. Who takes the catalog keeps the one he took.
 *
 * Threads: any; a mutex guards the pointer.
 */
#ifndef SCHEDULER_FUNCTION_REGISTRY_H
#define SCHEDULER_FUNCTION_REGISTRY_H

#include "base/arena.h"
#include "base/status.h"
#include "function.pb-c.h"
#include "store/store.h"
#include "workflow/function_catalog.h"

struct function_registry;

/** With the built-in functions. Owned: function_registry_free(). */
struct function_registry *function_registry_new(void);
void function_registry_free(struct function_registry *registry);

/** Adds the rows of the table. A row that makes no sense any more is logged and left out. Fails as
 * the store does. */
status function_registry_load(struct function_registry *registry, struct store *store,
                              struct error *reterr);

/** Adds an array of descriptions that were checked and written. */
void function_registry_add(struct function_registry *registry, json functions);

/** The catalog of now. A new reference: function_catalog_unref(). */
const struct function_catalog *function_registry_get(struct function_registry *registry);

/** Adds to the refusals of a registration, whose list has room for one per function. */
void function_refuse(struct arena *arena, Pb__RegisteredFunctions *answer, uint32_t index,
                     const struct function_description *description, const char *why);

#endif
