/**
 * workflow: a definition of the Open Workflow Specification DSL 1.0.3, read, checked and compiled.
 *
 * workflow_read() takes YAML or JSON, reports all findings of the text at once (diagnostic.h, codes
 * V01..V43 and P01..P07 of docs/reference/diagnostics.md), and returns an immutable tree: every
 * expression is compiled, every name resolved, every duration read. The engine walks this tree and
 * never looks at the source.
 *
 * Threads: immutable after workflow_read(); shared by reference (atomic count).
 * Limits: 512 KiB, depth 64, 100,000 nodes (yaml.h); WORKFLOW_TASKS_MAX tasks.
 *
 * Does not execute anything: services/scheduler does.
 */
#ifndef WORKFLOW_WORKFLOW_H
#define WORKFLOW_WORKFLOW_H

#include "base/diagnostic.h"
#include "base/hash.h"
#include "base/status.h"
#include "workflow/cron.h"
#include "workflow/sources.h"
#include "workflow/template.h"
#include "json/json.h"

#include <stdint.h>

struct schema;
struct regex;
struct function_catalog;
struct function_description;

enum {
    WORKFLOW_TASKS_MAX   = 4096,
    WORKFLOW_DEPTH_MAX   = 60, /* tasks within tasks; the engine's limit is above it */
    WORKFLOW_NAME_MAX    = 63, /* characters: a DNS label */
    WORKFLOW_SECRETS_MAX = 64, /* names in `use.secrets`: a bit each */
};

/** Index of a task in workflow->tasks; stable for one definition, so the journal may name it. */
typedef uint32_t task_index;
enum { TASK_NONE = UINT32_MAX };

enum task_kind {
    TASK_AGENT, /* `call: agent.run` */
    TASK_CALL,
    TASK_DO,
    TASK_EMIT,
    TASK_FOR,
    TASK_FORK,
    TASK_LISTEN,
    TASK_RAISE,
    TASK_RUN,
    TASK_SET,
    TASK_SWITCH,
    TASK_TRY,
    TASK_WAIT,
    TASK_FUNCTION,  /* `call` of a function that `use.functions` declares, or that has a URL */
    TASK_EXTENSION, /* around a task: what the extensions put before and after it */
};

/** Where a list goes on. */
struct flow {
    enum flow_kind {
        FLOW_CONTINUE, /* the next task; at the end the list is over */
        FLOW_EXIT,     /* this list is over */
        FLOW_END,      /* the run is over */
        FLOW_GOTO,     /* `position` in the same list */
    } kind;
    uint32_t position;
};

/** Tasks in order: a `do`, the branches of a `fork`, a `try`'s body, ... */
struct task_list {
    task_index *tasks;
    uint32_t count;
};

/** A time span: fixed, or computed when it is needed. */
struct duration {
    int64_t us;                      /* if `computed` is NULL */
    const struct template *computed; /* yields a duration object or ISO 8601 text */
};

struct retry_rule {
    const struct expression *when, *except_when; /* NULL: always, never */
    struct duration delay;
    enum { BACKOFF_CONSTANT, BACKOFF_LINEAR, BACKOFF_EXPONENTIAL } backoff;
    struct duration increment;   /* linear; 0: the delay itself */
    struct duration delay_max;   /* 0: none */
    uint32_t multiplier_percent; /* exponential: 200 doubles */
    struct duration jitter_from, jitter_to;
    uint32_t retries_max;             /* UINT32_MAX: no limit; the first attempt is not one */
    struct duration attempt_duration; /* 0: none; bounds each attempt */
    struct duration total_duration;   /* 0: none; bounds all of them with their waits */
};

/** What a `catch` takes: NULL or 0 = any. `type` matches by its aliases (error_type_equal()). */
struct error_filter {
    const char *type;
    uint32_t status;
    const char *instance, *title, *detail;

    /* Where an expression stands instead: one that yields a boolean decides, any other result is
     * compared. */
    struct error_computed {
        const struct template *type, *status, *instance, *title, *detail; /* NULL: none */
    } computed;
};

/** One attribute of an event filter. */
struct event_attribute {
    const char *name;
    json literal;                  /* JSON_INVALID if it is or holds an expression */
    const struct regex *pattern;   /* for text literals: matched anchored if not equal */
    const struct expression *expr; /* NULL if it is none; `.` = the attribute's value */
    const struct template *shape;  /* NULL unless a map or list that holds expressions; `.` of each
                                      = the value at the same place of the event */
};

struct event_correlation {
    const char *name;
    const struct expression *from; /* `.` = the event */
    const struct template *expect; /* NULL: the first value seen */
};

struct event_filter {
    struct event_attribute *attributes;
    uint32_t attribute_count;
    struct event_correlation *correlations;
    uint32_t correlation_count;
};

/** `errors` of `raise`: leaves are templates, so texts may be expressions. */
struct error_template {
    const struct template *type, *status, *title, *detail, *instance; /* NULL: not given */
};

struct switch_case {
    const char *name;
    const struct expression *when; /* NULL: the default */
    struct flow then;
};

/** By whom a call is carried out: a worker, as a job, or the engine itself. */
enum call_by { CALL_JOB, CALL_COMPENSATE, CALL_VARIANT, CALL_ASSISTANTS };

/** How long the answer of a call is kept, for every run of the namespace that makes it (E16). */
struct cache_rule {
    struct duration max_age;    /* above 0 if it is fixed */
    const struct template *key; /* what the answer depends on; NULL: the arguments */
};

/** How many jobs that have the same key are at work at once, and how many start in a time. */
struct limit_rule {
    const struct template *key; /* which ones go together; NULL: all of them */
    uint32_t concurrency;       /* 0: no limit */
    uint32_t rate_count;        /* in rate_period_us; 0: no limit */
    int64_t rate_period_us;
    bool is_of_workflow; /* it stands on the document: one for all calls */
};

enum { CALL_CONSTANT_MAX = 1'024 /* bytes of JSON */ };

struct call_body {
    enum call_by by;
    const char *function;         /* "http", "llm.chat" */
    const char *queue;            /* "tools", "llm" */
    const struct template *with;  /* arguments; evaluated when the job is queued */
    json constant;                /* what `with` always yields, if that is small; frozen */
    str constant_text;            /* the same as compact JSON */
    bool is_constant_fit;         /* the same keeps to `input_schema` */
    bool has_default_retry;       /* a catalog function: the job default applies (E8) */
    bool is_turn;                 /* of an agent: the state of its conversation is what is asked */
    bool takes_input;             /* a tool of an agent: the task's input is the arguments */
    const struct template *fixed; /* those of them that name secrets: evaluated as if by the agent,
                                   * whenever the job is sent; NULL: none do */

    /* Of a catalog function: what it promises (function_catalog.h); NULL: a call of the language
     * itself. Its arguments and its answer are checked against these; NULL: anything. */
    const struct function_description *description;
    const struct schema *input_schema, *output_schema;

    task_index undo_scope;          /* CALL_COMPENSATE: what is undone */
    const char *dead_letter_queue;  /* NULL: that of its jobs */
    const struct cache_rule *cache; /* NULL: it is made every time */
    const struct limit_rule *limit; /* NULL: none of its own */
    bool fails_on_open;             /* `onOpen: fail`: it raises rather than wait for a breaker */
    bool pauses;                    /* `onExhausted: pause`: its last failure waits for a person */
    /* Of its authentication; NULL: it has none. `authentication` is a member of `with`, too. */
    const char *authentication_kind; /* "basic", "bearer", "digest", "oauth2", "oidc" */
    const struct template *authentication;

    struct task_list body; /* of a TASK_FUNCTION: the one task that it is; its input is `with` */
};

/**
 * One extension around one task. The task itself is the only one of `body`; several extensions are
 * wrappers within wrappers, the first declared outermost. `before` gets the input of the task,
 * `after` its output; what they make of it is dropped, unless `before` is left by `exit`: then the
 * task is skipped, and the list's output is the wrapper's. How the task says to go on passes
 * through.
 */
struct extension_body {
    const char *name;
    const struct expression *when; /* NULL: always; `.` and $task are the extended task's */
    struct task_list before, after, body;
};

/** What an agent may call: a tool, or all those that an MCP server lists when the agent starts. */
struct agent_tool {
    const char *name;             /* what the model sees; of a server: how their names begin */
    const char *description;      /* NULL: the engine finds it with the schema, of a workflow */
    json schema;                  /* of its arguments; frozen; JSON_INVALID: any object */
    const struct template *fixed; /* arguments that the model neither sees nor sets; NULL: none */
    task_index task;              /* that calls it */
    task_index approval;          /* that asks before; TASK_NONE: nobody is asked */
    bool is_fault;                /* a failing call ends the agent; else the model is told */

    const char *connection; /* of the adapter `mcp`, to a server; NULL: it is one tool */
    task_index listing;     /* of a server: that asks for its tools */
    json only;              /* of a server: an array of names, frozen; JSON_INVALID: all of them */
};

/** The loop of `agent.run`. Its turns and calls are tasks of their own, which stand in no list of
 * the document: the agent starts them as the conversation asks for them. */
struct agent_body {
    const struct template *with; /* without `tools` and `retry`; evaluated once, at the start */
    const struct schema *with_schema;
    task_index model;       /* a turn */
    struct task_list tasks; /* all of them: the model's, and those of the tools */
    struct agent_tool *tools;
    uint32_t tool_count;
    /* {version, definition} of the assistant that the definition names, pinned when it was
     * registered, since its tools are among `tools`; frozen; JSON_INVALID: none. */
    json assistant;
};

enum {
    AGENT_TOOLS_MAX     = 128,
    AGENT_TURNS_DEFAULT = 16,
    AGENT_TURNS_MAX     = 256,
    AGENT_CALLS_MAX     = 128, /* of one turn */
};

struct for_body {
    const char *each, *at;           /* variable names without $; "item", "index" by default */
    const struct template *in;       /* yields an array */
    const struct expression *while_; /* NULL: none */
    uint32_t parallel; /* 0: one after the other, output of the last; n: up to n at once, array */
    struct task_list body;
};

struct fork_body {
    struct task_list branches;
    bool is_compete;
};

struct try_body {
    struct task_list body;
    struct error_filter with;
    const char *as; /* "error" by default */
    const struct expression *when, *except_when;
    const struct retry_rule *retry; /* NULL: none */
    struct task_list handler;       /* catch.do; count 0: none */
    bool has_handler;
    struct flow then; /* catch.then; it wins over the task's own */
    bool has_then;
};

/** metadata.tutti.approval. */
struct approval_rule {
    const struct template *title, *payload, *form; /* payload, form: NULL = none */
    const struct template *approvers; /* yields an array of texts; NULL: any key with the role */
    bool is_editable;
};

enum listen_mode { LISTEN_ONE, LISTEN_ANY, LISTEN_ALL };
enum listen_read { LISTEN_DATA, LISTEN_ENVELOPE, LISTEN_RAW };

/** Which events are waited for: one of `any` filters, or one for each of `all`. */
struct event_strategy {
    enum listen_mode mode;
    struct event_filter *filters; /* none with `any`: every event */
    uint32_t filter_count;
};

/** What a `listen` does with each event, one after the other. */
struct foreach_body {
    const char *item, *at; /* variable names without $; "item", "index" by default */
    struct task_list body; /* may be empty */
    const struct template *output_as, *export_as; /* NULL: as it is; no export */
    const struct schema *output_schema, *export_schema;
};

struct listen_body {
    struct event_strategy to;
    const struct expression *until;     /* ends an `any`; `.` = the events so far. NULL: none */
    struct event_strategy until_events; /* end an `any`, and are in no output */
    bool has_until_events;
    enum listen_read read;
    const struct approval_rule *approval; /* NULL: a plain listen */
    const struct foreach_body *foreach;   /* NULL: none */
};

/** A child run. Its workflow is found when the task starts. */
struct run_body {
    const struct template *namespace_, *name, *version; /* yield texts */
    const struct template *input;                       /* NULL: {} */
    bool is_detached;                                   /* `await: false` */
    bool returns_nothing;                               /* `return: none`: the output is null */
    bool is_tool; /* of an agent: input is the task's, and the agent has pinned the version */
};

/** How a task is undone (E1): by tasks of its own, or by what the called function declares. */
struct compensation {
    enum { COMPENSATE_DECLARED, COMPENSATE_NEVER, COMPENSATE_TASKS } by;
    struct task_list tasks;
};

struct task {
    task_index index;
    task_index parent; /* the enclosing task, TASK_NONE at the top */
    uint32_t position; /* in its list */
    const char *name;
    const char *reference; /* JSON pointer with index and name: "/do/0/drafts/do/0/draft" */
    json definition;       /* as it was read; a view */
    uint32_t line, column; /* of the name in the source */
    enum task_kind kind;

    const struct expression *condition;                                /* `if`; NULL: always */
    const struct schema *input_schema, *output_schema, *export_schema; /* NULL: none */
    const struct template *input_from, *output_as, *export_as;         /* NULL: as it is */
    struct duration timeout; /* us = 0 and computed = NULL: none */
    struct flow then;

    /* metadata.tutti */
    const char *phase;                      /* NULL: that of the enclosing task */
    double weight;                          /* 1 by default */
    uint8_t priority;                       /* 0..9; PRIORITY_INHERIT: the run's */
    const struct template *idempotency_key; /* NULL: the default key */
    const struct retry_rule *retry;         /* NULL: see has_own_retry */
    bool has_own_retry;                     /* `retry: none` is has_own_retry with retry NULL */
    bool is_saga;                           /* an error that leaves it undoes what it did */
    bool is_undoable;                       /* its completion is noted: it may have to be undone */
    bool is_compensation;                   /* it is part of undoing another task */
    struct compensation compensation;

    /* Its arguments or `input.from` name secrets or `$authorization`: what is stored of them has
     * `***` instead, and they are evaluated again for each attempt. */
    bool sends_secrets;

    /* `$steps` may be asked for this task's output by something that can see it. */
    bool is_output_kept;

    union {
        struct agent_body agent;
        struct call_body call; /* TASK_CALL, TASK_FUNCTION */
        struct extension_body extension;
        struct run_body run;
        struct task_list list; /* do */
        struct for_body loop;
        struct fork_body fork;
        struct listen_body listen;
        struct error_template raise;
        struct {
            struct switch_case *cases;
            uint32_t case_count;
        } choice;
        const struct template *set;
        const struct template *emit; /* event.with */
        struct try_body try_;
        struct duration wait;
    };
};

enum { PRIORITY_INHERIT = 255, PRIORITY_DEFAULT = 5 };

struct workflow_budget {
    int64_t usd_nanos; /* 0: none */
    int64_t tokens;    /* 0: none */
};

/** What a text in the definition stood for when the workflow was registered: a function of the
 * server's catalog, an assistant, or a document at a URL. */
struct workflow_pin {
    const struct workflow_pin *next;
    const char
        *name;   /* "slack.send_message:1", "assistant analyst", "https://host/function.yaml" */
    json source; /* the description, or the document; frozen */
};

/** A document that the definition names and that is not at hand yet. */
struct document_need {
    struct document_need *next;
    const char *url;                       /* absolute */
    const struct template *authentication; /* `{<kind>: {…}}`, of constants and `$secrets`; NULL:
                                              none */
    const char *pointer;                   /* where it is named */
    uint32_t line, column;
};

/** When runs start by themselves. */
struct schedule {
    enum schedule_kind {
        SCHEDULE_NONE,
        SCHEDULE_EVERY, /* at every multiple of `span_us` since 1970, in UTC */
        SCHEDULE_CRON,
        SCHEDULE_AFTER, /* `span_us` after the end of the last run */
        SCHEDULE_ON,    /* whenever `on` has had all its events, which are the input */
    } kind;
    int64_t span_us;
    struct cron cron;
    struct listen_body on; /* no approval, no `foreach` */
};

struct workflow {
    const char *namespace_, *name, *version;
    const char *title; /* "" if none */
    /* Of what is stored: the definition, with what it pins if it pins anything. */
    uint8_t digest[SHA256_SIZE];
    /* Of what was written: the definition, with the documents that it names by URL. */
    uint8_t source_digest[SHA256_SIZE];
    json document;                     /* frozen: the definition as it was read */
    const struct workflow_pin *pins;   /* NULL: none */
    const struct document_need *needs; /* NULL: complete; else it can only be looked at */
    const struct schema *input_schema, *output_schema;
    const struct template *input_from, *output_as;
    struct duration timeout;
    const char **secrets; /* names in `use.secrets` */
    uint32_t secret_count;
    struct task *tasks; /* in document order; index = task_index */
    uint32_t task_count;
    struct task_list root;
    uint8_t priority; /* PRIORITY_DEFAULT if none is given */
    bool is_saga;
    struct workflow_budget budget;
    struct schedule schedule;
    const struct template *idempotency_key; /* document; NULL: none */
    const struct limit_rule *limit;         /* of calls without their own; NULL: none */
};

/**
 * Reads, checks and compiles `text` (YAML 1.2 or JSON). Findings, warnings included, go to `list`.
 * On OK `*ret_workflow` is owned: workflow_unref(). INVALID_ARGUMENT (code "workflow_invalid") if
 * there is an error among the findings.
 */
status workflow_read(str text, struct diagnostics *list, const struct workflow **ret_workflow,
                     struct error *reterr);

/** The same with `sources`; workflow_read() has none. */
status workflow_read_with(str text, const struct workflow_sources *sources,
                          struct diagnostics *list, const struct workflow **ret_workflow,
                          struct error *reterr);

/**
 * Reads what workflow_source_new() made: the definition with what it pinned, so that names mean
 * what they meant then. Never for text from outside, which could pin what it likes.
 */
status workflow_read_stored(str stored, struct diagnostics *list,
                            const struct workflow **ret_workflow, struct error *reterr);

const struct workflow *workflow_ref(const struct workflow *workflow);
void workflow_unref(const struct workflow *workflow);
void workflow_unrefp(const struct workflow **workflow);

/** What the store keeps, as canonical JSON text: the definition, or {"definition", "pins"} if it
 * pins anything. workflow_read_stored() gives the same workflow and the same digest again. */
json workflow_source_new(const struct workflow *workflow);

/** The definition in such a text; a view of `stored`, parsed. */
json workflow_definition_of(json stored);

/** The task that `reference` names; NULL if none. */
const struct task *workflow_task_at(const struct workflow *workflow, str reference);

/** Says whether `name` can name a secret: 1 to 64 letters, digits, `-`, `_`, `.`, no dot first. */
bool secret_name_is_valid(str name);

/** Compares semantic versions; a pre-release is below its release. < 0, 0, > 0. */
int version_compare(str a, str b);

#endif
