/**
 * engine: what carries out the requests of adapters that are not HTTP: `smtp`, `browser`, `mcp`,
 * and the modules behind `builtin` (web, memory, documents).
 *
 * A request says which function with which settings; its answer has the form that HTTP answers have
 * for a manifest, {status, headers, body}, so `ok_when`, `errors`, `output` and the classes of
 * outcomes work alike for all of them. An engine neither retries nor reads manifests.
 *
 * Threads: start, cancel and `done` are the loop's; `done` never comes from inside start. What
 * blocks goes to a work_pool.
 */
#ifndef TOOL_ADAPTER_ENGINE_H
#define TOOL_ADAPTER_ENGINE_H

#include "adapter/manifest.h"
#include "adapter/scope.h"
#include "common.pb-c.h"
#include "tool-adapter/files/file_set.h"
#include "json/json_mask.h"

enum {
    ENGINE_PROGRESS_MAX = 192 << 10, /* bytes of JSON */
    ENGINE_NEWS_MAX     = 4 << 10,
};

struct engine_call; /* one request under way; of the engine's own making */

/** Who pays for what models cost on the way. */
struct engine_payer {
    str key_id;       /* of the API key that calls; empty: a job */
    bool is_reported; /* a job's: it reports its usage, so whoever sells counts nothing */
    bool is_owed;     /* and an earlier attempt was lost before it could */
};

/** Who wants to know how far a call says it has come; nothing is decided by that. `said` is a view
 * of at most ENGINE_NEWS_MAX bytes of JSON. */
struct onlooker {
    void (*progress)(json said, void *context);
    void *context;
};

/** Whom a call may ask that cannot go on by itself. It fails then, nothing being done yet, and is
 * made again with what was said. */
struct respondent {
    json asked;  /* what was noted with the question of the round before; JSON_INVALID: there was
                  * none */
    json answer; /* to that: {approved, data}; JSON_INVALID: none */
    const char *mute; /* why nobody can be asked, although there is somebody; NULL: they can */
    /* `question` is {title, payload, form}, clean and short; `noted` comes back as `asked`. Views;
     * the last one counts. */
    void (*ask)(json question, json noted, void *context);
    void *context;
};

/** All borrowed until `done` or cancel. */
struct engine_request {
    const struct manifest_action *action;
    const char *function; /* "memory.recall", "screenshot": what the engine's key says */
    json settings;        /* evaluated: `params` of the request, or what stands under `smtp` */
    json config;          /* settings of the connection, defaults filled in */
    str connection;       /* its name */
    str namespace;
    str idempotency_key;
    str traceparent; /* W3C trace context of the run; empty: none */
    struct engine_payer payer;
    const struct secret_source *secrets;
    const struct json_mask *mask;        /* of the connection's secrets */
    const struct file_set *files;        /* that the arguments name; NULL: none */
    json progress;                       /* of an earlier attempt of the job; JSON_INVALID: none */
    const struct onlooker *onlooker;     /* NULL: nobody */
    const struct respondent *respondent; /* NULL: nobody can be asked */
    int64_t total_ms;                    /* it may take so long */
    int64_t answer_max;                  /* bytes of the answer's body */
    bool allow_private;                  /* addresses that the egress rules open may be called */
    str proxy;                           /* as of http.h; empty: none */
};

struct engine_result {
    status code;        /* OK: `response` holds */
    bool was_sent;      /* of a failure: the other side may have acted */
    json response;      /* {status, headers, body}; the engine's, a view for the callback */
    struct error error; /* without paths, queries, values */
    /* What models cost on the way, also of a failure: the job reports it, so that its run is
     * charged; a view for the callback. NULL: nothing. */
    const Pb__Usage *usage;
};

struct engine_handlers {
    /* How far it has come, for a later attempt, in place of what was said before; takes `progress`.
     * It may be dropped. NULL: there is no later attempt. */
    void (*progress)(json progress, void *context);
    /* Exactly once, last, unless cancelled; the call is gone when it returns. */
    void (*done)(const struct engine_result *result, void *context);
    void *context;
};

struct engine {
    enum request_kind kind;
    const char *module; /* "memory" of "memory.recall"; NULL: the kind says it all */
    /* INVALID_ARGUMENT (a setting, by name), UNIMPLEMENTED (no such function), or as the engine
     * says. Nothing was sent then, and `done` does not come. */
    status (*start)(void *self, const struct engine_request *request,
                    const struct engine_handlers *handlers, struct engine_call **ret_call,
                    struct error *reterr);
    void (*cancel)(struct engine_call *call);
    void *self;
};

/** An answer as HTTP's have it; takes `body`. `retry_after`: empty for none. Owned. */
json engine_response_new(int http_status, str retry_after, json body);

/** The engine of a request; NULL: there is none. `engines` ends with one whose start is NULL. */
const struct engine *engine_of(const struct engine *engines,
                               const struct manifest_request *request);

#endif
