/**
 * script: what the world outside answers in one scenario, and what it was asked.
 *
 * A stand-in is a function ("worker.charge") or an endpoint ("GET /pets/1"). Its answers are used
 * up in the order in which they were given; the last one stays, unless it was given with a number
 * of times: then null follows (for an endpoint 200 without a body).
 *
 * Threads: any; a mutex guards it. Values are texts, since json counts its owners without locks.
 */
#ifndef LANGUAGE_SCRIPT_H
#define LANGUAGE_SCRIPT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCRIPT_STANDINS_MAX = 64,
    SCRIPT_ANSWERS_MAX  = 64,     /* of one stand-in */
    SCRIPT_ASKED_MAX    = 10'000, /* of a scenario */
    SCRIPT_HEADERS_MAX  = 16,     /* of an answer */
};

enum script_kind {
    SCRIPT_ANSWER, /* `body` is the output */
    SCRIPT_ECHO,   /* the arguments are the output */
    SCRIPT_FAIL,   /* `body` is a DSL error */
    SCRIPT_NEVER,  /* no answer at all */
};

struct script_header {
    const char *name, *value;
};

struct script_answer {
    enum script_kind kind;
    bool is_transient;
    uint32_t times;   /* 0: once, or for ever if it is the last */
    int http_status;  /* of an endpoint */
    const char *body; /* JSON of a function, anything of an endpoint */
    const char *type; /* of an endpoint's body */
    const char *undo; /* JSON: the calls that undo it, [{function, with}]; NULL: none */
    struct script_header headers[SCRIPT_HEADERS_MAX];
    size_t header_count;
};

struct script;

struct script *script_new(void);
void script_free(struct script *script);
void script_freep(struct script **script);

/** Forgets everything: the next scenario begins. */
void script_clear(struct script *script);

/** Adds an answer, whose texts are copied, and keeps `name` as one that is known.
 * RESOURCE_EXHAUSTED. */
status script_add(struct script *script, const char *name, const struct script_answer *answer,
                  struct error *reterr);

/** Adds a header to the answer that was added last. */
status script_add_header(struct script *script, const char *name, const char *value,
                         struct error *reterr);

/** Says how the answer that was added last is undone. */
status script_add_undo(struct script *script, const char *undo, struct error *reterr);

bool script_knows(struct script *script, const char *name);

/** Names of all stand-ins that begin with `prefix`, one a line. */
void script_list(struct script *script, const char *prefix, struct buf *out);

/** Counts a call with the JSON `asked` and says how it is answered; the texts are valid until
 * script_clear(). False: there is no such stand-in (the call is counted all the same). */
bool script_ask(struct script *script, const char *name, str asked,
                struct script_answer *ret_answer);

/** An HTTP request, of which the answer is looked for under method, host and path from the most
 * precise to the least: "GET host/path?query", "GET host/path", "GET /path?query", "GET /path". */
struct script_request {
    str method, host, path, query; /* the path as it was sent; the query without ? */
    str asked;                     /* all of it as JSON */
};
bool script_request(struct script *script, const struct script_request *request,
                    struct script_answer *ret_answer);

/** How often it was asked; `name` NULL: all HTTP requests. */
uint32_t script_count(struct script *script, const char *name);

/** The function that was called as the n-th of all (from 0); NULL: there were not as many. Valid
 * until script_clear(). */
const char *script_called(struct script *script, size_t number);

/** The JSON of the n-th call (from 1; 0: the last); NULL if there was none. Valid until
 * script_clear(). */
const char *script_asked(struct script *script, const char *name, uint32_t number);

#endif
