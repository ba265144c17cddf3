/** tool_call_internal: what the files of tool_call.h share: the state of a call, and how it ends.
 */
#ifndef TOOL_ADAPTER_TOOL_CALL_INTERNAL_H
#define TOOL_ADAPTER_TOOL_CALL_INTERNAL_H

#include "tool-adapter/call/call_cache.h"
#include "tool-adapter/call/charge.h"
#include "tool-adapter/call/tool_call.h"
#include "tool-adapter/embedding/embed_params.h"
#include "tool-adapter/files/file_arguments.h"

/* What an execution at work is for, and what follows when a checkpoint is kept. */
enum stage {
    STAGE_BEFORE,  /* reads what is there: in the first attempt */
    STAGE_CURRENT, /* reads it again: in a later one */
    STAGE_LOOKUP,  /* looks for what an earlier one did */
    STAGE_CHANGE,  /* the action itself */
};

struct tool_call {
    const struct exchange_means *means;
    struct tool_call_request request;
    struct tool_call_handlers handlers;
    struct arena *arena;
    json params;            /* owned; of the request, with what is known of its files */
    struct file_set *files; /* owned; NULL: it uses none */
    bool keeps_file;        /* a file that it answers is kept: */
    struct file_keep keep;
    json scope;      /* owned */
    json checkpoint; /* owned; what is kept, or is to be */
    enum stage stage;
    struct execution *execution;
    struct embed_params *embedding; /* under way; else NULL */
    void (*on_arguments)(struct tool_call *call);
    struct charge charge;
    struct writes writes;
    const struct action_call *lookup; /* of STAGE_LOOKUP */
    bool is_open;                     /* an earlier attempt may have done it */
    bool is_keeping;                  /* a checkpoint is under way, */
    bool is_hint;                     /* for which nothing waits */
    size_t steps_kept;                /* finished steps that a later attempt knows of */
    struct call_key key;              /* of a read whose output is kept */
    struct passenger flight;          /* likewise */
    struct loop_timer patience;       /* while it waits for an equal read */
    bool is_cached;                   /* its output is kept */
    json old, old_validators;         /* an output that may still hold; owned, as the next */
    json validators;                  /* of its own answer */
    bool is_unchanged;                /* the old one does */
    json failed_content;              /* of a tool of MCP that has failed; a view while it ends */
    bool is_starting;                 /* the caller has no pointer yet */
    bool is_over;
};

void tool_call_free(struct tool_call *call);

/** Says of each write what it was part of. */
void tool_call_name_writes(struct tool_call *call);

static inline const struct manifest_action *tool_call_action(const struct tool_call *call)
{
    return call->request.tool.action;
}

/** Reads the stored files among the arguments, then calls `then`; without any `files` stays NULL,
 * and so does `then`. FAILED_PRECONDITION, INVALID_ARGUMENT, or as file_set_start(). */
status tool_call_fetch_files(struct tool_call *call, void (*then)(struct tool_call *call),
                             struct error *reterr);

/** Says whether texts are to be embedded first; whoever only wants to know sends nothing, and needs
 * none. */
bool tool_call_wants_vectors(const struct tool_call *call);

/** `then` follows when the parameters are whole; else the call ends. As embed_params_start(). */
status tool_call_embed(struct tool_call *call, void (*then)(struct tool_call *call),
                       struct error *reterr);

struct once_case tool_call_once_case(const struct tool_call *call);

/** --- Ends: each tells the caller, and frees the call once the caller has been given it ------ */

/** It is done, by this attempt or an earlier one. */
void tool_call_end_done(struct tool_call *call, json output, int http_status, int64_t wait_ms);

/** Nobody knows whether it was done. */
void tool_call_end_unknown(struct tool_call *call, const char *why, int http_status,
                           bool is_transient);

/** No attempt has done it. */
void tool_call_end_undone(struct tool_call *call);

/** `steps` of its change are done, by this attempt or earlier ones. */
void tool_call_end_failed(struct tool_call *call, const struct outcome *outcome, json steps);

/** What was asked for makes no request. */
void tool_call_end_refused(struct tool_call *call, status code, const char *why);

#endif
