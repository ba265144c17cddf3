/**
 * contract: the HTTP API as openapi.yaml describes it: routes, roles, limits and request schemas.
 *
 * The file is compiled into the program and read once at start; nothing about a route is written
 * anywhere else. Immutable afterwards, so all loops share it.
 */
#ifndef GATEWAY_CONTRACT_H
#define GATEWAY_CONTRACT_H

#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

struct schema;

enum {
    CONTRACT_ROUTES_MAX   = 512,
    CONTRACT_SEGMENTS_MAX = 10, /* of a path */
    CONTRACT_PARAMS_MAX   = 4,  /* of a path */
    CONTRACT_QUERY_MAX    = 16, /* parameters of a query */
};

/** What a request body is. */
enum media {
    MEDIA_NONE,       /* no body, or one that is ignored */
    MEDIA_JSON,       /* JSON, checked by the schema */
    MEDIA_DEFINITION, /* a workflow in YAML or JSON, passed on */
    MEDIA_OPAQUE,     /* JSON of somebody else's API, passed on */
    MEDIA_LINES,      /* JSON lines: the handler reads them */
    MEDIA_FILE,       /* bytes of any kind: the handler looks at them */
    MEDIA_EVENTS,     /* CloudEvents in any of their modes: the handler reads them */
};

/** Whose API errors look like. */
enum error_shape { SHAPE_PROBLEM, SHAPE_OPENAI, SHAPE_ANTHROPIC, SHAPE_GEMINI };

/** Who records what an operation has changed (audit.h). */
enum audit_by {
    AUDIT_NONE,    /* it changes nothing, or what it changes is recorded otherwise */
    AUDIT_COMMAND, /* the scheduler, with its commit */
    AUDIT_GATEWAY, /* the scheduler has no command for it */
};

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_COUNT };

/** One operation. All texts live as long as the contract. */
struct route {
    const char *operation; /* operationId */
    enum method method;
    const char *path;  /* as in the file: "/v1/runs/{id}" */
    const char *roles; /* letters; "none": no key needed */
    bool is_public;    /* roles "none" */
    bool is_later;     /* answers 501 */
    bool has_rest;     /* its last parameter is all that follows, slashes too */
    enum media media;
    enum error_shape error_shape;
    enum audit_by audit;
    bool body_required;
    size_t body_size_max;             /* bytes; 0: no body */
    int64_t wait_ms_max;              /* 0: not parked */
    const struct schema *body_schema; /* MEDIA_JSON; NULL: any JSON */
    uint32_t handler;                 /* index of the handler; CONTRACT_NO_HANDLER if later */
    str segments[CONTRACT_SEGMENTS_MAX];
    uint32_t segment_count;
    str param_names[CONTRACT_PARAMS_MAX];                    /* of the path, in its order */
    const struct schema *param_schemas[CONTRACT_PARAMS_MAX]; /* NULL: any text; NULL if later */
    uint32_t param_count;
    const char *query_names[CONTRACT_QUERY_MAX]; /* none if later */
    uint32_t query_count;
};

enum { CONTRACT_NO_HANDLER = UINT32_MAX };

struct contract;

/**
 * Reads the compiled-in file. `operations` (ends with NULL) names the handlers in their order.
 * Owned: contract_free(). INTERNAL: an operation without handler or the reverse, or a broken file:
 * a unit test loads it, so a broken build, never a broken start.
 */
status contract_load(const char *const *operations, struct contract **ret_contract,
                     struct error *reterr);
void contract_free(struct contract *contract);
void contract_freep(struct contract **contract);

/** A matched request path. Parameter values are views of `path`. */
struct route_match {
    const struct route *route; /* NULL: none for this path and method */
    str params[CONTRACT_PARAMS_MAX];
    uint32_t param_count;
    unsigned allowed; /* a bit per enum method that the path knows; 0: no such path */
};

/** Finds the route of a decoded path. HEAD is the caller's GET. */
struct route_match contract_match(const struct contract *contract, enum method method, str path);

/** Says whether `name` is a method here. */
bool method_parse(str name, enum method *ret_method);

/** "GET"; static. */
const char *method_name(enum method method);

/** "GET, POST" for the Allow header. */
void method_list(unsigned allowed, struct buf *out);

/** The whole contract as JSON text. */
str contract_json(const struct contract *contract);

const struct route *contract_routes(const struct contract *contract, uint32_t *ret_count);

#endif
