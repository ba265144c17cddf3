/**
 * scene: where an expression stands. It answers for the variables of the language ($context,
 * $input, $steps, $item, ...) from the state of the run, and turns what goes wrong into an error of
 * the language: `expression` for expressions, `validation` for schemas, each with the task as
 * instance.
 *
 * Values are made only when an expression asks for them, and live until scene_done().
 */
#ifndef SCHEDULER_SCENE_H
#define SCHEDULER_SCENE_H

#include "scheduler/run/place.h"
#include "workflow/errors.h"

/**
 * Secrets. What scene_eval() yields is stored, so `***` stands in it for every secret, also in what
 * is computed of one. scene_test() asks the secrets themselves, since only a truth comes of it, and
 * so does a scene that is marked `sends`, whose values go to a worker and nowhere else. A secret
 * that is named and not there is an `authorization` error in either case.
 */

struct scene {
    const struct run *run;
    const struct decide_env *env;
    struct place place;
    const struct task *task; /* NULL: the workflow's own `input` and `output` */

    /* Borrowed; JSON_INVALID: not there. */
    json raw_input, input, raw_output, output;
    json context; /* JSON_INVALID: that of the place */
    json error;   /* of `$error` in a retry of the task itself */
    json item;    /* of `while`: $item and $index of the `for` itself */
    uint32_t index;
    int64_t started_us;
    const struct activation *body_of; /* output.as and export.as also see the $steps within */

    bool sends;        /* for a worker: with secrets */
    str authorization; /* the parameter of `$authorization` that only the worker will
                        * know: a text it replaces; empty: `***` */

    json made[VARIABLE_STANDARD_COUNT]; /* values of variables, made when asked for; owned */
    uint64_t secrets_named;             /* by the expression at hand */
    uint64_t secrets_missing;
    bool is_revealing; /* the evaluation under way sees secrets */
};

/** The scene of the workflow's own expressions; of a task about to start; of one that runs. */
struct scene scene_of_run(const struct run *run, const struct decide_env *env);
struct scene scene_of_task(const struct run *run, const struct decide_env *env,
                           const struct place *place, const struct task *task, json raw_input);
struct scene scene_of(const struct run *run, const struct decide_env *env,
                      const struct activation *activation);
void scene_done(struct scene *scene);

/**
 * Evaluate with `.` = `input`. `*ret_value` is owned. On failure `*ret_error` is the error to raise
 * (owned) and the status says no more than that.
 */
status scene_eval(struct scene *scene, const struct template *template, json input, json *ret_value,
                  json *ret_error);
status scene_eval_expression(struct scene *scene, const struct expression *expression, json input,
                             json *ret_value, json *ret_error);
status scene_test(struct scene *scene, const struct expression *expression, json input,
                  bool *ret_truth, json *ret_error);
status scene_duration(struct scene *scene, const struct duration *duration, int64_t *ret_us,
                      json *ret_error);

/** Checks against a schema (NULL: none). `what` names the value: "input". */
status scene_check(struct scene *scene, const struct schema *schema, json value, const char *what,
                   json *ret_error);

/** Sets `*ret_error` to an error with the task as instance; always fails. */
status scene_fail(const struct scene *scene, enum error_kind kind, const char *detail,
                  json *ret_error);

#endif
