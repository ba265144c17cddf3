/**
 * module: what the modules behind `builtin` share: a call that is read on the loop, carried out on
 * a thread of a pool, and answered on the loop.
 *
 * A call has an arena, and everything it uses between is in there: values belong to the loop's
 * thread, and whoever cancelled is gone. What goes wrong is an answer with a status and
 * {"error": text} as its body, so that a manifest's rules see it as they see HTTP; only UNAVAILABLE
 * and DEADLINE_EXCEEDED, which say that nothing was done, are failures of the request.
 *
 * A call that is cancelled while it runs goes on to its end, and nobody hears of it.
 *
 * Threads: `read` and `answer` of a function on the loop, `run` on a thread of the pool.
 */
#ifndef TOOL_ADAPTER_MODULE_H
#define TOOL_ADAPTER_MODULE_H

#include "base/arena.h"
#include "loop/work_pool.h"
#include "tool-adapter/connections/engine.h"

#include <stdatomic.h>

enum {
    MODULE_ARENA_MAX = 128 << 20, /* bytes of one call */
    MODULE_CALLS_MAX = 1'000,     /* of one module, at once */
};

struct module;

/** Also the `struct engine_call` of these engines: the pointer is the same. */
struct module_call {
    struct work work; /* first */
    struct module *module;
    struct module_call *next, *previous; /* of the module */
    const struct module_function *function;
    struct engine_handlers handlers;
    struct arena *arena;
    void *about;               /* what `read` made, in the arena */
    atomic_bool is_cancelled;  /* `run` may look */
    int64_t deadline_ms;       /* clock_mono_ms() */
    struct engine_payer payer; /* its key in the arena */
    bool was_sent;
    int answer_status; /* of the answer if all went well; 0: 200 */
    bool has_usage;
    Pb__Usage usage; /* texts in the arena */
    status code;
    struct error error;
};

struct module_function {
    const char *name; /* "memory.recall" */
    /* Copies what it needs of the request into the arena and sets `about`. INVALID_ARGUMENT. */
    status (*read)(struct module_call *call, const struct engine_request *request,
                   struct error *reterr);
    status (*run)(struct module_call *call, struct error *reterr);
    json (*answer)(struct module_call *call);  /* the body; owned */
    void (*release)(struct module_call *call); /* what is not in the arena; NULL: nothing */
};

struct module {
    struct work_pool *pool;                  /* borrowed */
    const struct module_function *functions; /* end with one without a name */
    struct module_call *first;               /* under way */
    unsigned calls;
    void *context; /* the module's own */
    /* On the loop after each call, before its answer; NULL: nothing. */
    void (*after)(struct module *module);
};

/** An engine's `start`, with a struct module as `self`, and its `cancel`. RESOURCE_EXHAUSTED: too
 * many calls at once. */
status module_start(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr);
void module_cancel(struct engine_call *call);

/** Nobody hears of the calls under way any more. Before the pool is freed. */
void module_stop(struct module *module);

/* --- reading settings; INVALID_ARGUMENT names the member ---------------------------------------
 */

/** A text in the arena; `fallback` if there is none. NULL as `fallback`: it must be there. */
status module_text(struct arena *arena, json settings, const char *name, const char *fallback,
                   str *ret_text, struct error *reterr);
/** A whole number in a range. */
status module_int(json settings, const char *name, int64_t fallback, int64_t min, int64_t max,
                  int64_t *ret_value, struct error *reterr);
/** Which of `names` (ends with NULL) it is; the first if there is none. */
status module_choice(json settings, const char *name, const char *const *names, unsigned *ret_index,
                     struct error *reterr);

/** A copy in the arena; RESOURCE_EXHAUSTED. */
status module_copy(struct arena *arena, str text, str *ret_copy, struct error *reterr);

/** Zeroed memory of the arena; RESOURCE_EXHAUSTED. */
status module_alloc(struct arena *arena, size_t count, size_t size, void **ret_memory,
                    struct error *reterr);

#endif
