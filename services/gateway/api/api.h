/**
 * api: one HTTP request of the API, from the parsed head to the answer.
 *
 * A handler gets a call whose key, roles, body size and body schema have been checked. It answers
 * exactly once, by api_respond() or one of the api_fail functions, on any thread, now or later.
 * What it started for the call should end when the client has gone (api_call_is_gone()).
 *
 * Life: the HTTP server holds one reference until the answer is sent, each piece of work under way
 * holds one more.
 */
#ifndef GATEWAY_API_H
#define GATEWAY_API_H

#include "base/arena.h"
#include "gateway/api/contract.h"
#include "gateway/api/identity.h"
#include "httpd/httpd.h"
#include "rpc/rpc_client.h"
#include "telemetry/trace.h"
#include "json/json.h"
#include "json/json_write.h"

#include <stdatomic.h>

struct documents;
struct rpc_subscriber;
struct run_waits;
struct followers;
struct llm_pull;
struct mcp_tools;
struct measures;
struct audit;
struct media_types;
struct problem;

enum {
    API_ANSWER_MAX     = 64 << 20, /* bytes of one answer */
    API_CALL_ARENA_MAX = 4 << 20,  /* bytes */
    API_REQUEST_ID_MAX = 64,       /* characters */

    API_RPC_ID_LEN      = 32, /* hexadecimal digits */
    API_RPC_ID_TIME_LEN = 12, /* of these, in front */
};

/** What all calls share. Filled in once by server_start(); the pointers are const for its life. */
struct api {
    struct loop *home; /* the loop that owns waits, followers and pulls */
    struct loop *const *loops;
    size_t loop_count;
    struct contract *contract;
    struct httpd *httpd;
    struct rpc_client *scheduler;
    struct rpc_subscriber *hints; /* NULL before the start, and in tests without */
    struct rpc_client *llm;       /* NULL: no llm-proxy is configured */
    struct rpc_client *tools;     /* NULL: no tool-adapter that reads documents is configured */
    struct identity_cache *keys;
    struct run_waits *waits;
    struct followers *followers;
    struct llm_pull *llm_pull;
    struct measures *measures;
    struct audit *audit;             /* NULL in tests without */
    struct media_types *media_types; /* of files; NULL in tests without */
    uint64_t file_size_max;          /* bytes */
    struct key_watch *key_watch;
    struct mcp_tools *mcp_tools;
    const char *mcp_prefix; /* of workflows as tools */
    const char *version;
    unsigned scheduler_count;      /* endpoints of `scheduler`, a process each; 0: one */
    atomic_uint partitions;        /* of the scheduler; 0: not known yet */
    atomic_bool scheduler_reached; /* once since start */
    atomic_bool is_draining;
    uint8_t subscriber[16]; /* this gateway, to the services it pulls from */
};

/** What waits on the home loop for a call's sake: the head of a waiter's own struct. */
struct api_waiter {
    void (*forget)(struct api_waiter *waiter); /* the call has ended: clear call->waiter, free */
    void (*resume)(struct api_waiter *waiter); /* of a stream: the client takes bytes again; NULL */
};

struct api_call;

/** What a question that a call asks the API itself (api_inner.h) is answered with; any thread,
 * once. */
typedef void api_inner_done(struct api_call *call, int http_status, str body);

struct api_call {
    struct api *api;
    struct httpd_handle handle;
    struct httpd_request *request; /* owned; NULL before the body is there */
    const struct route *route;
    str params[CONTRACT_PARAMS_MAX]; /* views of `path` */
    struct identity identity;
    json body; /* MEDIA_JSON: parsed and checked; JSON_INVALID if there is none. Only while the
                  handler's function runs, on its thread */
    struct arena *arena;
    char request_id[API_REQUEST_ID_MAX + 1];
    char rpc_id[66]; /* ours alone, unlike request_id, which a client may choose: services
                        remember what they answered to it. api_new_rpc_id(), or what stands for an
                        Idempotency-Key and for what is asked */
    char traceparent[TRACE_TEXT_SIZE]; /* of the client's trace, "" if it sent none */
    char trace_id[33];                 /* of it, likewise */
    char *path;                        /* decoded; owned */
    const char *resource;              /* of it, as the audit log has it; NULL: there is no route */
    char peer[HTTPD_PEER_SIZE];        /* address of the caller's end of the connection */
    char claimed_key[API_KEY_ID_LEN + 1]; /* id of the key that was sent; it may not exist */
    int64_t key_known_ms;         /* when it was found to be good, on clock_mono_ms(); 0: never */
    const char *refused_as;       /* code of the problem it is answered with; NULL: of none */
    enum error_shape error_shape; /* of the API it imitates */
    void *state;                  /* of the handler, for its continuation */
    struct key_pass *key_pass;    /* what the limits of its key have let pass; NULL: it has none */
    struct documents *documents;  /* owned; what its definition names (documents.h) */
    atomic_bool is_slow;          /* of a stream: more bytes are unsent than should be */
    atomic_bool is_parked;        /* something on the home loop waits for it: tell it of the end */
    struct api_waiter *waiter;    /* home loop only */
    atomic_uint references;
    atomic_bool is_gone;
    atomic_bool is_answered;
    void (*_Atomic take_back)(struct api_call *call); /* api_call_hands_over() */
    struct api_call *_Atomic outer; /* asked this one instead of a client: a reference */
    struct api_call *_Atomic inner; /* that this one has asked: a reference */
    api_inner_done *inner_done;     /* of the outer one, if this is an inner one */
    atomic_bool is_replayed;        /* what its Idempotency-Key stands for was answered before */
};

/** Gives a call an id of its own for services: milliseconds, then chance. So ids of one time lie
 * beside each other where services keep them in order. */
void api_new_rpc_id(struct api_call *call);

struct api_call *api_call_ref(struct api_call *call);
void api_call_unref(struct api_call *call);

/** Parks the call: `run(call)` follows on the home loop, where `call->waiter` may be set. When the
 * call ends, its waiter is forgotten there. */
void api_park(struct api_call *call, void (*run)(struct api_call *call));

/** Runs `run(call)` on the home loop; false if the loop's queue is full. */
bool api_send_home(struct api_call *call, void (*run)(struct api_call *call));

/** The server's: the client of a stream takes bytes again. Tells the call's waiter; may be lost if
 * the home loop is full, so waiters look at `is_slow` now and then. */
void api_call_resume(struct api_call *call);

/** The server's: the answer is out, or will never be. */
void api_call_gone(struct api_call *call);

/** The client has gone or was answered: nobody will read what is still being made. */
bool api_call_is_gone(const struct api_call *call);

/** The answer that is given next hands something over that somebody else should get if this client
 * does not: then `take_back(call)` runs once, on any thread, perhaps at once. */
void api_call_hands_over(struct api_call *call, void (*take_back)(struct api_call *call));

/** The server's: the client did not get the answer. */
void api_call_unsent(struct api_call *call);

/** One handler per operation of the contract; ends with a NULL operation. */
struct api_handler {
    const char *operation;
    void (*handle)(struct api_call *call);
};
extern const struct api_handler api_handlers[];

/* --- answering ---------------------------------------------------------------------------------
 */

/** An answer being written: `json` writes into `body`, so it stays where it is. Begin with
 * api_answer_begin(), end with api_answer_send(). */
struct api_answer {
    struct api_call *call;
    struct buf body;
    struct json_writer json;
};
void api_answer_begin(struct api_answer *ret_answer, struct api_call *call);

/** Sends with `http_status` and, if not NULL, one more header. Releases the answer. */
void api_answer_send(struct api_answer *answer, int http_status, const struct httpd_field *extra);

/** The same with any number of headers. */
void api_answer_send_fields(struct api_answer *answer, int http_status,
                            const struct httpd_field *extra, size_t extra_count);

/** Sends with the ETag of a revision, which api_match() reads. */
void api_answer_send_tagged(struct api_answer *answer, int http_status, uint64_t revision);

/** The answer to a list: its items are written into `json` between the two. */
void api_list_begin(struct api_answer *ret_answer, struct api_call *call);

/** `next_token` leads to the next page; "": this was the last one. */
void api_list_send(struct api_answer *answer, const char *next_token);

/** The general form. */
void api_respond(struct api_call *call, int http_status, const char *content_type, str body,
                 const struct httpd_field *extra, size_t extra_count);

/** Appends a problem in the shape of the API that the call is one of. */
void api_print_problem(const struct api_call *call, const struct problem *problem, struct buf *out);

/** A problem document for `code` and the reason in `error` (may be NULL). */
void api_fail(struct api_call *call, status code, const struct error *error);

/** The same from a service's answer: its code, detail, findings and retry time. */
void api_fail_answer(struct api_call *call, const struct rpc_answer *answer);

/** A fully described one. */
PRINTF_LIKE(4, 5)
void api_fail_with(struct api_call *call, const char *code, str findings_json, const char *format,
                   ...);

/** 429 rate_limited, and when it makes sense to come again. */
PRINTF_LIKE(3, 4)
void api_fail_limited(struct api_call *call, int64_t retry_after_ms, const char *format, ...);

/** 424 run_failed with the run's own error. */
PRINTF_LIKE(3, 4)
void api_fail_run(struct api_call *call, str run_error_json, const char *format, ...);

/** What a function of an adapter failed with; views. */
struct tool_failure {
    const char *code;
    str error_json, detail;
    str undo_json;          /* the calls that undo the part that is done; empty: none is */
    int64_t retry_after_ms; /* 0: not said */
};
void api_fail_tool(struct api_call *call, const struct tool_failure *failure);

/** 405, with the methods that the path knows (a bit per enum method). */
void api_fail_method(struct api_call *call, unsigned allowed);

/* --- reading -----------------------------------------------------------------------------------
 */

/** The decoded query parameter, living as long as the call; false if it is not there. Several: the
 * first; api_query_next() walks them. */
bool api_query(struct api_call *call, const char *name, str *ret_value);
bool api_query_next(struct api_call *call, const char *name, size_t *cursor, str *ret_value);

/** Says whether every query parameter can be decoded; else the call has been answered. */
bool api_check_query(struct api_call *call);

/** Says whether the query has no other parameters than the contract gives the route; else the call
 * has been answered: a filter with a slip in its name must not mean "all". Paths that need no key,
 * and those of somebody else's API, ignore what they do not know. */
bool api_check_query_names(struct api_call *call);

/** The Idempotency-Key header, "" if it was not sent. INVALID_ARGUMENT: not 1 to 255 visible ASCII
 * characters. */
status api_idempotency_key(struct api_call *call, str *ret_key, struct error *reterr);

/**
 * Makes what the call asks of the services repeatable, if it carries an Idempotency-Key: the same
 * key, path and body of the same API key give the same request id, whose answer the scheduler
 * remembers for a day. False: the call was answered, the key is not valid.
 */
bool api_make_repeatable(struct api_call *call);
/** The same, where the body is not all that is asked: that is what `asked` says. */
bool api_make_repeatable_as(struct api_call *call, str asked);

/** If-Match: "7" of a `what`; 0: it was not sent, or is `*`. False: it is no ETag of ours, and the
 * call was answered. */
bool api_match(struct api_call *call, const char *what, uint64_t *ret_number);

/** A text member of `object`, which is the body or a part of it; "" if it has none. */
const char *api_member(struct api_call *call, json object, const char *key);

/** Prints a part of the body. False: it is over the limit of `out`, and the call was answered. */
bool api_print(struct api_call *call, json value, struct buf *out);

/** page_size and page_token. INVALID_ARGUMENT names the parameter. */
status api_page(struct api_call *call, uint32_t *ret_size, const char **ret_token,
                struct error *reterr);

/** The same; false: a parameter is not valid, and the call was answered. */
bool api_read_page(struct api_call *call, uint32_t *ret_size, const char **ret_token);

/** `wait`, capped by the route. 0: none. */
status api_wait_ms(struct api_call *call, int64_t *ret_wait_ms, struct error *reterr);

/** A text of the call's arena with a NUL. */
const char *api_text(struct api_call *call, str text);

/** The namespace that requests of this call are made in: "*" for a key of all namespaces that named
 * none. */
const char *api_namespace(struct api_call *call);

/* --- asking the scheduler ----------------------------------------------------------------------
 */

typedef void api_then(struct api_call *call, const struct rpc_answer *answer);

/** Of one question among several of a call; called whatever the answer, on any thread. */
typedef void api_then_item(struct api_call *call, size_t item, const struct rpc_answer *answer);

struct api_ask {
    const ProtobufCServiceDescriptor *service;
    const char *method;
    const void *message;
    uint16_t partition;
    int64_t timeout_ms; /* 0: the default of the client */
    api_then *then;     /* only if the answer is OK; else the problem is sent */
    api_then *failed;   /* NULL: api_fail_answer(). Its answer has a code and a detail only, if the
                         * scheduler was not reached */
    api_then_item *then_item; /* instead of both, if the call asks several questions */
    size_t item;
    const char *request_id; /* NULL: the call's own; several questions need one each */
};

/** An id in the form of a request's: milliseconds, then chance. */
void api_random_id(char ret_id[static API_RPC_ID_LEN + 1]);

/** An id that `text` and `index` stand for, in the form of a request's. */
void api_hash_id(const char *text, size_t index, char ret_id[static API_RPC_ID_LEN + 1]);

/** The id of question `index` of a call that asks several. They lie beside each other, wherever ids
 * are in order. */
void api_item_id(const struct api_call *call, size_t index, char ret_id[static API_RPC_ID_LEN + 1]);

/** rpc_client_call() to the scheduler; UNAVAILABLE while the gateway stops, when there is no client
 * any more. */
status api_call_scheduler(const struct api *api, const struct rpc_request *request,
                          struct error *reterr);

/** Likewise, to the replica of the llm-proxy that `request->partition` says. */
status api_call_llm(const struct api *api, const struct rpc_request *request, struct error *reterr);

/** Asks; the call lives until `then` has returned. */
void api_ask_scheduler(struct api_call *call, const struct api_ask *ask);

/** Asks the partition that owns the id which is the path's first parameter. */
void api_ask_owner(struct api_call *call, const ProtobufCServiceDescriptor *service,
                   const char *method, const void *message, api_then *then);

/** An api_ask.then: 204, there is nothing to say. */
void api_send_nothing(struct api_call *call, const struct rpc_answer *answer);

/** The partition that owns an id, or a client's own id in this call's namespace. */
uint16_t api_partition_of(struct api_call *call, str id);

/** the hash that routes (docs/internals/ids-and-keys.md): first 8 bytes of SHA-256(namespace 0x1f
 * text) mod P. */
uint16_t api_partition_of_text(const struct api *api, str namespace, str text);

#endif
