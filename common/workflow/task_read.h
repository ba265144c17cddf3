/**
 * task_read: tasks and lists of tasks while they are read. Internal to this layer.
 *
 * A definition is deep, the stack is not: reading a task only notes the lists in it, and the tasks
 * of those lists are read afterwards, in document order. So the names of a list are known before
 * any of its tasks is read, and `then` and `$steps` are resolved on the spot.
 */
#ifndef WORKFLOW_TASK_READ_H
#define WORKFLOW_TASK_READ_H

#include "base/map.h"
#include "workflow/compile.h"

/** A name in a list. */
struct task_name {
    const char *name;
    uint32_t position;
    uint32_t line, column;
    bool is_output_kept; /* an expression may ask `$steps` for it */
    struct draft *draft; /* the task, not its wrapper; NULL before it is read */
};

/** The names of one list of tasks. */
struct task_names {
    struct task_names *next_of_owner; /* another list of the same task */
    struct task_names *next;          /* in reader->names */
    struct draft *owner;              /* NULL: the outermost list */
    struct task_list *list;
    struct map *by_name;       /* owned; task_name by name */
    struct task_name *entries; /* one per task, in order */
    uint32_t count;
    bool is_concurrent; /* branches of a fork: they neither see nor follow each other */
    bool is_undo;       /* of a compensation: no part of the task that it undoes */
    bool is_undo_name;  /* which is the name of a function */
    bool is_closed;     /* its tasks do not see what stands around: a function, an extension */
};

/** A task while it is read. */
struct draft {
    struct task task;         /* first: field tables count from it */
    struct task_names *names; /* of the list it stands in */
    struct task_names *lists; /* of its own bodies */
    struct task_name *entry;
    const struct source *source;     /* where its text stands */
    const char *pointer;             /* in the source; the reference says where it runs */
    uint32_t depth;                  /* tasks around it, and itself */
    bool is_inserted;                /* by an extension: extensions are not for it */
    bool is_conditional;             /* its `if` went to its wrapper */
    const struct function *function; /* of a `call`; NULL if it does not resolve */
    bool has_with;
    str undo_scope;        /* of a `tutti.compensate`: the name it gives; empty: none */
    bool is_undo_scope;    /* a `tutti.compensate` undoes it */
    bool has_secret_input; /* `input.from` names secrets, at: */
    struct yaml_place secret_input;
    struct yaml_place cache_place; /* of its `cache` */
    struct scope scope;            /* variables of the enclosing tasks */
    struct scope body_scope;       /* the same and its own: what the tasks in it see */
};

/** Notes the tasks of `value` under the task at hand (or the document), to be read later in
 * `scope`. `target` must stay where it is. Returns their names; NULL if it is no list. */
struct task_names *task_list_read(struct reader *reader, json value, struct task_list *target,
                                  struct scope scope);

/** A task that is written elsewhere: in `use.functions`, or in a document of its own. */
struct borrowed_task {
    const char *name;
    const struct source *source;
    const char *pointer;
    json definition;
};

/** Notes it as the only one of a list of the task at hand (NULL: of nobody, to be checked only). It
 * sees nothing of the tasks around. */
void task_borrow(struct reader *reader, const struct borrowed_task *task, struct task_list *target);

/** What a task is by its key. */
struct task_form {
    const char *key;
    enum task_kind kind;
    const struct object_kind *object;
};

/** The form of the task at hand; NULL after a finding if it has none or two. */
const struct task_form *task_form_of(struct reader *reader, json definition);

/** Reads all tasks noted, until there are none left. */
void tasks_read(struct reader *reader);

/** Field reader of a list in the body scope of the task at hand: struct task_list *. */
void body_read(struct reader *reader, json value, void *target);

/** The scope at hand and `added` variables more; refuses (V15) what does not fit. */
struct scope scope_extend(struct reader *reader, const struct scope_variable *added,
                          uint32_t count);

/** A name of a variable that a task declares (`each`, `at`, `as`): const char **; V15. */
void variable_name_read(struct reader *reader, json value, void *target);

/* --- undoing (undo_read.c) -------------------------------------------------------------------- */

/** `saga` and `compensate` of the task at hand: struct task *. */
void saga_read(struct reader *reader, json value, void *target);
void compensate_read(struct reader *reader, json value, void *target);

/** Resolves what `tutti.compensate` names, and decides what must be noted to be undone. */
void undo_finish(struct reader *reader);

/* --- flow (flow_read.c) ----------------------------------------------------------------------- */

/** `then` of the task at hand, or of a case or catch in it: struct flow *. */
void flow_read(struct reader *reader, json value, void *target);

/** Warns (V43) of tasks that nothing leads to. */
void flow_check(struct reader *reader);

/** Warns (V42) of exports that drop what others have exported (export_check.c). */
void exports_check(struct reader *reader);

/* --- one table per kind of task --------------------------------------------------------------- */

extern const struct object_kind do_task, for_task, fork_task;    /* task_composite.c */
extern const struct object_kind switch_task, try_task;           /* task_branch.c */
extern const struct object_kind set_task, wait_task, raise_task; /* task_value.c */
extern const struct object_kind emit_task;                       /* task_event.c */
extern const struct object_kind listen_task;                     /* task_listen.c */
extern const struct object_kind call_task;                       /* task_call.c */
extern const struct object_kind run_task;                        /* run_code.c */
extern const struct object_kind task_base;                       /* task_read.c: what all have */

/* --- run (run_code.c) ------------------------------------------------------------------------- */

/** `run` with `workflow` in it: struct run_body * (run_workflow.c). */
void run_workflow_read(struct reader *reader, json value, void *target);

/** `workflow` of an agent's tool: what `run.workflow` has, but for `input`, and written out, since
 * the tool is named after it. False after a finding. (run_workflow.c) */
bool tool_workflow_read(struct reader *reader, json value, struct run_body *target);

/** Refuses (V31) what would run somebody's program; `what` with its article. */
void refuse_code(struct reader *reader, const char *what);

/** `metadata` of a task: struct task * (metadata_read.c). */
void task_metadata_read(struct reader *reader, json value, void *target);

/** `approval` of a tool of an agent: no `payload`, which is the call, but a `timeout`. False after
 * a finding. */
struct agent_approval {
    struct approval_rule rule;
    struct duration timeout; /* 0: none */
};
bool agent_approval_read(struct reader *reader, json value, struct agent_approval *target);

/** `metadata` of the document: struct workflow *. */
void document_metadata_read(struct reader *reader, json value, void *target);

#endif
