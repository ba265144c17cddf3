/**
 * backend: where scenarios are played. Two of them: `core` drives the engine's own code in this
 * process with a clock that it turns itself; `http` talks to a whole suite that `tutti up` started.
 *
 * Every function may be called only in the order of a scenario: begin, put, start, the rest.
 * INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, RESOURCE_EXHAUSTED are answers of the system
 * under test; UNIMPLEMENTED says that this back-end cannot do that; any other status means that the
 * back-end itself is broken.
 */
#ifndef LANGUAGE_BACKEND_H
#define LANGUAGE_BACKEND_H

#include "base/status.h"
#include "language/script.h"
#include "json/json.h"

#include <stdint.h>

struct backend {
    const char *name;
    bool is_live; /* its time is the real one: an unfinished run is looked at again and again */
    void *context;

    status (*begin)(void *context, struct error *reterr);

    /** Offers functions, which definitions may call from then on: an array of descriptions
     * (workflow/function_catalog.h) without queue; the script answers their jobs. */
    status (*offer)(void *context, json functions, struct error *reterr);

    /** Registers a definition. `*ret_findings` (owned) is an array of {code, severity, pointer,
     * line, column, detail, hint}, warnings included, also when it is refused (INVALID_ARGUMENT).
     * The definition that is put first is the one that runs. */
    status (*put)(void *context, str definition, json *ret_findings, struct error *reterr);

    /** Starts a run of the first definition; it goes as far as it can without time passing.
     * `extra` is what else the start request says (an object or invalid). */
    status (*start)(void *context, json input, json extra, struct error *reterr);

    /** Lets time pass until the run has ended or nothing can happen any more. */
    status (*finish)(void *context, struct error *reterr);

    /** Lets that much time pass. */
    status (*pass)(void *context, int64_t us, struct error *reterr);

    /** Owned: {status, output?, error?, progress?, ...} as the API shows a run. */
    status (*view)(void *context, json *ret_run, struct error *reterr);

    /** Owned: the run's events so far, as the API shows them. */
    status (*history)(void *context, json *ret_events, struct error *reterr);

    status (*signal)(void *context, const char *name, json data, struct error *reterr);
    status (*publish)(void *context, json event, struct error *reterr);

    /** Decisions of this scenario are made by somebody with this label ("team:leads"). */
    status (*label)(void *context, const char *label, struct error *reterr);

    /** Decides the approval that is open. `data`, `payload` may be invalid. */
    status (*decide)(void *context, bool is_approved, json data, struct error *reterr);

    /** "cancel", "terminate", "pause", "resume". */
    status (*control)(void *context, const char *verb, struct error *reterr);

    /** The engine dies and comes back with what it has stored. */
    status (*crash)(void *context, struct error *reterr);

    /** Any request of the HTTP API; `*ret_answer` (owned) is {status, body}. Only `http`. */
    status (*request)(void *context, const char *method, const char *path, json body,
                      json *ret_answer, struct error *reterr);
};

/** Owned: core_backend_freep(). */
struct backend *core_backend_new(struct script *script);
void core_backend_freep(struct backend **backend);

struct http_backend_options {
    const char *programs;     /* folder of `tutti` */
    const char *const *hosts; /* that features name, each with its port: "petstore.test:443" */
    size_t host_count;
};

/** Starts a suite on a new folder below /tmp, and a stand-in for all hosts that features name.
 * Owned: http_backend_freep(). UNAVAILABLE. */
status http_backend_new(const struct http_backend_options *options, struct script *script,
                        struct backend **ret_backend, struct error *reterr);

/** Stops the suite. Fails if it did not end cleanly, or if a log tells of trouble. */
status http_backend_stop(struct backend *backend, struct error *reterr);
void http_backend_freep(struct backend **backend);

#endif
