#include "scheduler/engine/jobs/worker.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdlib.h>

#define DRAIN_LOOK_US (INT64_C(60) * 1'000'000)

struct workers {
    struct map *by_name;   /* name -> struct worker, owned */
    struct map *drains;    /* name -> struct worker_drain, owned */
    int64_t drain_look_us; /* when they are next looked through */
};

struct workers *workers_new(void)
{
    struct workers *workers = mem_new(1, sizeof *workers);
    workers->by_name        = map_new(WORKERS_MAX);
    workers->drains         = map_new(WORKERS_MAX);
    return workers;
}

void workers_free(struct workers *workers)
{
    if (!workers) return;
    size_t cursor = 0;
    void *worker  = NULL;
    workers_forget_drains(workers);
    map_free(workers->drains);
    while (map_next(workers->by_name, &cursor, NULL, &worker)) free(worker);
    map_free(workers->by_name);
    free(workers);
}

status worker_at(struct workers *workers, str name, int64_t now_us, struct worker **ret_worker,
                 struct error *reterr)
{
    if (name.len == 0 || name.len > WORKER_NAME_MAX) {
        return fail_code(reterr, STATUS_INVALID_ARGUMENT, "invalid_request",
                         "worker: a name of 1 to %d bytes", WORKER_NAME_MAX);
    }
    struct worker *worker = map_get(workers->by_name, name);
    if (!worker) {
        worker = mem_new(1, sizeof *worker);
        memcpy(worker->name, name.ptr, name.len);
        /* Until it says its kind, after a restart: who is named so belongs to a namespace. */
        bool is_somebodys = memchr(name.ptr, ':', name.len) != NULL;
        if (is_somebodys) memcpy(worker->kind, WORKER_EXTERNAL, sizeof WORKER_EXTERNAL);
        if (!map_put(workers->by_name, name, worker)) {
            free(worker);
            return fail(reterr, STATUS_RESOURCE_EXHAUSTED, "over %d workers", WORKERS_MAX);
        }
        worker->is_draining = worker_drain_find(workers, name) != NULL;
    }
    worker->last_seen_us = now_us;
    *ret_worker          = worker;
    return STATUS_OK;
}

const struct worker *worker_find(const struct workers *workers, str name)
{
    return map_get(workers->by_name, name);
}

static bool is_of(const struct worker *worker, str namespace)
{
    const char *colon = strchr(worker->name, ':');
    if (!colon || namespace.len == 0 || strcmp(worker->kind, WORKER_EXTERNAL) != 0) return true;
    return str_equal(namespace, (str){worker->name, (size_t)(colon - worker->name)});
}

bool worker_serves(const struct worker *worker, str namespace, str queue)
{
    if (!is_of(worker, namespace)) return false;
    str rest = str_from(worker->queues);
    while (rest.len > 0) {
        const char *comma = memchr(rest.ptr, ',', rest.len);
        size_t len        = comma ? (size_t)(comma - rest.ptr) : rest.len;
        if (str_equal(str_slice(rest, 0, len), queue)) return true;
        rest = str_slice(rest, len + 1, rest.len);
    }
    return false;
}

void workers_expire(struct workers *workers, int64_t now_us)
{
    size_t cursor = 0;
    str name      = {};
    void *value   = NULL;
    while (map_next(workers->by_name, &cursor, &name, &value)) {
        struct worker *worker = value;
        if (worker->busy > 0 || worker->polls > 0) continue;
        if (now_us - worker->last_seen_us < WORKER_SILENT_US) continue;
        void *removed = map_remove(workers->by_name, name);
        ASSERT(removed == worker);
        free(worker);
    }
}

/* --- draining ----------------------------------------------------------------------------------
 */

static void mark(const struct workers *workers, str name, bool is_draining)
{
    struct worker *worker = map_get(workers->by_name, name);
    if (worker) worker->is_draining = is_draining;
}

bool worker_drain(struct workers *workers, str name, uint64_t instance, int64_t now_us)
{
    struct worker_drain *drain = worker_drain_find(workers, name);
    if (!drain) {
        drain = mem_new(1, sizeof *drain);
        if (!map_put(workers->drains, name, drain)) {
            free(drain);
            return false;
        }
    }
    *drain = (struct worker_drain){.instance = instance, .heard_us = now_us};
    mark(workers, name, true);
    return true;
}

bool worker_resume(struct workers *workers, str name)
{
    mark(workers, name, false);
    void *drain   = map_remove(workers->drains, name);
    bool is_found = drain != NULL;
    free(drain);
    return is_found;
}

struct worker_drain *worker_drain_find(const struct workers *workers, str name)
{
    return map_get(workers->drains, name);
}

str worker_drain_over(struct workers *workers, int64_t now_us)
{
    size_t cursor = 0;
    str name      = {};
    void *value   = NULL;
    if (map_count(workers->drains) == 0 || now_us < workers->drain_look_us) return (str){};
    while (map_next(workers->drains, &cursor, &name, &value)) {
        const struct worker_drain *drain = value;
        if (now_us - drain->heard_us >= WORKER_DRAIN_US) return name;
    }
    workers->drain_look_us = now_us + DRAIN_LOOK_US;
    return (str){};
}

void workers_forget_drains(struct workers *workers)
{
    size_t cursor = 0;
    str name      = {};
    void *drain   = NULL;
    while (map_next(workers->drains, &cursor, &name, &drain)) {
        mark(workers, name, false);
        free(drain);
    }
    map_free(workers->drains);
    workers->drains = map_new(WORKERS_MAX);
}

/* --- all ---------------------------------------------------------------------------------------
 */

struct worker *worker_next(const struct workers *workers, size_t *cursor)
{
    void *worker = NULL;
    return map_next(workers->by_name, cursor, NULL, &worker) ? worker : NULL;
}

size_t worker_count(const struct workers *workers)
{
    return map_count(workers->by_name);
}
