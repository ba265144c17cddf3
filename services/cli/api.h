/**
 * api: the HTTP API, called and waited for. One call at a time; one thread.
 */
#ifndef CLI_API_H
#define CLI_API_H

#include "base/buf.h"
#include "cli/cli.h"
#include "json/json.h"
#include "json/json_write.h"

enum { API_BODY_MAX = 64 << 20 /* bytes */ };

struct api;

/** Owned: api_freep(). INVALID_ARGUMENT: --url is none. UNAVAILABLE. */
status api_new(const struct cli *cli, struct api **ret_api, struct error *reterr);
void api_freep(struct api **api);

/** The same for a command; NULL, after saying why on standard error: it exits with CLI_USAGE. */
struct api *api_open(const struct cli *cli);

/** An answer; release: api_answer_done(). */
struct api_answer {
    int http_status; /* 0: there was none */
    struct buf body;
    json value;         /* the body, if it is JSON; owned */
    char tag[64];       /* ETag; "" if there is none */
    struct error error; /* why there was no answer */
};
void api_answer_done(struct api_answer *answer);

struct api_call {
    const char *method;
    const char *path;   /* "/v1/runs" with its query */
    str body;           /* empty: none */
    const char *type;   /* of the body; NULL: application/json */
    const char *match;  /* If-Match; NULL: none */
    int64_t timeout_ms; /* 0: 70 s, more than the longest wait of the API */
};

/** Calls and waits. Returns CLI_OK for an answer of 2xx; else what the command should exit with,
 * after saying why on standard error. */
enum cli_exit api_call(struct api *api, const struct api_call *call, struct api_answer *ret_answer);

/** Opens, calls and waits: api_open(), api_call(). */
enum cli_exit api_ask(const struct cli *cli, const struct api_call *call,
                      struct api_answer *ret_answer);

/** Asks, and prints the answer: with --json as it came, if it has a body; else with `print`. */
enum cli_exit api_show(const struct cli *cli, const struct api_call *call, void (*print)(json));

/** Asks for something to be done, and says so: `said`; with --json as api_show(). */
enum cli_exit api_do(const struct cli *cli, const char *method, const char *path, str body,
                     const char *said);

/** Does it with each argument of a command, whatever becomes of those before; returns the worst. */
enum cli_exit api_each(const struct cli *cli,
                       enum cli_exit (*act)(const struct cli *cli, struct api *api,
                                            const char *argument));

/** api_call() without a word and for any answer: CLI_UNREACHABLE if there was none, CLI_USAGE if an
 * argument is too long for a path. */
enum cli_exit api_try(struct api *api, const struct api_call *call, struct api_answer *ret_answer);

/** One server-sent event. False ends the stream. */
typedef bool api_event_fn(str name, str id, str data, void *context);

/** Follows an event stream until it ends, `on_event` says so, or `until_ms` (monotonic; 0: never).
 * Comes back with the last id after a lost connection. */
enum cli_exit api_follow(struct api *api, const char *path, int64_t until_ms,
                         api_event_fn *on_event, void *context);

/** Says on standard error what a problem document says. Returns the exit code for it. */
enum cli_exit api_explain(const struct api_answer *answer);

/** Appends `text` percent-encoded to a path, which begins with a slash. If it does not fit, the
 * path is empty, whatever follows, and a call with it is refused. */
void api_put_segment(struct buf *path, const char *text);

/** Appends "/v1/runs/RUN" and `rest`; the same holds of `run`. */
void api_put_run(struct buf *path, const char *run, const char *rest);

#endif
