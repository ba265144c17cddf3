/* Jobs that change their place while they are open: held, aimed at others, limited by others. */
#include "base/assert.h"
#include "scheduler/engine/jobs/job_queue_internal.h"

#include <stdio.h>

void open_job_hold(struct job_queues *queues, struct open_job *job, bool is_held, int64_t now_us)
{
    if (job->is_held == is_held) return;
    job->is_held = is_held;
    if (job->state == OPEN_JOB_LEASED) return;
    job_unplace(queues, job);
    job_place(queues, job, now_us);
}

/* --- targets -----------------------------------------------------------------------------------
 */

struct targets *job_queues_targets(const struct job_queues *queues)
{
    return queues->targets;
}

static void place_again(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    bool was_shut_out = job->is_shut_out;
    if (job->state == OPEN_JOB_LEASED) return;
    job_unplace(queues, job);
    job_place(queues, job, now_us);
    if (was_shut_out && job->is_shut_out) job->target->held_total--; /* it has been counted */
}

static bool stands_within(const struct line *line, const struct limit *limit)
{
    while (line && line->limit != limit) line = line->parent;
    return line != NULL;
}

/* A job at work counts for its limits. What it has of those that stay it keeps: a permit that was
 * given back would be somebody else's while this one works on. */
static void exchange_limits(struct job_queues *queues, const struct line *from,
                            const struct line *to)
{
    for (const struct line *line = to; line; line = line->parent) {
        bool is_new = line->limit && !stands_within(from, line->limit);
        if (is_new) limit_use(queues->limits, line->limit);
    }
    for (const struct line *line = from; line; line = line->parent) {
        bool is_old = line->limit && !stands_within(to, line->limit);
        if (is_old) limit_end(queues->limits, line->limit);
    }
}

static void lift(struct job_queues *queues, struct open_job *job)
{
    if (job->state != OPEN_JOB_LEASED) job_unplace(queues, job);
}

static void put_down(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    struct line *from      = job->line;
    struct line *lane_from = job->lane_line;
    bool is_leased         = job->state == OPEN_JOB_LEASED;
    job_stand_in(queues, job, job_line_of(queues, job, now_us));
    if (is_leased) exchange_limits(queues, from, job->line);
    line_leave(queues->lines, from);
    if (lane_from) line_leave(queues->lines, lane_from);
    if (!is_leased) job_place(queues, job, now_us);
}

void open_job_aim(struct job_queues *queues, struct open_job *job, struct target *target,
                  int64_t now_us)
{
    if (job->target == target) return;
    lift(queues, job);
    job_leave_target(queues, job);
    if (target) target_add_job(target, job);
    put_down(queues, job, now_us);
}

void open_job_limit(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    bool was_shut_out = job->is_shut_out;
    lift(queues, job);
    put_down(queues, job, now_us);
    if (was_shut_out && job->is_shut_out) job->target->held_total--; /* it has been counted */
}

void open_job_set_probe(struct job_queues *queues, struct open_job *job, bool is_probe,
                        int64_t now_us)
{
    job->is_probe      = is_probe;
    job->target->probe = is_probe ? job : NULL;
    place_again(queues, job, now_us);
}

struct fundings *job_queues_fundings(struct job_queues *queues)
{
    return &queues->fundings;
}

void open_job_place(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    place_again(queues, job, now_us);
}

void target_place_jobs(struct job_queues *queues, struct target *target, int64_t now_us)
{
    for (struct open_job *job = target->first; job; job = job->target_next) {
        place_again(queues, job, now_us);
    }
}

struct open_job *target_peek(const struct target *target)
{
    struct open_job *best = NULL;
    for (struct open_job *job = target->first; job; job = job->target_next) {
        if (job->is_shut_out && (!best || open_job_is_before(job, best))) best = job;
    }
    return best;
}

/* Whoever has a probe says what became of it before it leaves; else it was not used. */
void job_leave_target(struct job_queues *queues, struct open_job *job)
{
    struct target *target = job->target;
    if (!target) return;
    if (target->probe == job) target_note_probe(queues->targets, target, PROBE_RETURNED);
    target_remove_job(target, job);
    targets_drop(queues->targets, target);
}

/* --- limits ------------------------------------------------------------------------------------
 */

struct limits *job_queues_limits(const struct job_queues *queues)
{
    return queues->limits;
}

static bool is_rule(const struct queue_limits *rule)
{
    return rule->concurrency > 0 || rule->rate_count > 0;
}

/* The line within `line` of a limit that jobs bring along, or `line` if that cannot be. */
static struct line *line_brought(struct job_queues *queues, struct line *line, str name,
                                 const struct queue_limits *rule, int64_t now_us)
{
    struct limit *limit = name.len > 0 && is_rule(rule) ? limits_at(queues->limits, name) : NULL;
    if (!limit) return line;
    bool is_same = limit->rule.concurrency == rule->concurrency &&
                   limit->rule.rate_count == rule->rate_count &&
                   limit->rule.rate_period_us == rule->rate_period_us;
    if (!is_same) limit_set(queues->limits, limit, rule, now_us);
    struct line *within = line_within(queues->lines, line, limit);
    return within ? within : line;
}

/* "queue:namespace/queue:key": of one namespace, also in a queue that serves all. */
static str queue_limit_name(const struct open_job *job, char (*text)[LIMIT_NAME_MAX + 1])
{
    str workflow      = line_of_workflow(job->line)->name;
    const char *slash = workflow.len > 0 ? memchr(workflow.ptr, '/', workflow.len) : NULL;
    str namespace     = {workflow.ptr, slash ? (size_t)(slash - workflow.ptr) : 0};
    int length        = snprintf(*text, sizeof *text, "queue:" STR_FMT "/" STR_FMT ":%s",
                                 STR_ARG(namespace), STR_ARG(job->queue->name), job->limit_key);
    return length > 0 && length <= LIMIT_NAME_MAX ? (str){*text, (size_t)length} : (str){};
}

struct line *job_line_of(struct job_queues *queues, const struct open_job *job, int64_t now_us)
{
    struct line *line = job->line;
    while (line->parent) line = line->parent;
    struct limit *limit = job->target ? limits_find(queues->limits, job->target->name) : NULL;
    if (limit && is_rule(&limit->rule)) {
        struct line *within = line_within(queues->lines, line, limit);
        if (within) line = within;
    }
    char text[LIMIT_NAME_MAX + 1];
    if (job->limit_key && is_rule(&job->queue->key_limits)) {
        str name = queue_limit_name(job, &text);
        line     = line_brought(queues, line, name, &job->queue->key_limits, now_us);
    }
    if (job->limit_name) {
        line = line_brought(queues, line, str_from(job->limit_name), &job->limit_rule, now_us);
    }
    return line;
}

void job_use_limits(struct job_queues *queues, const struct open_job *job)
{
    for (struct line *line = job->line; line; line = line->parent) {
        if (line->limit) limit_use(queues->limits, line->limit);
    }
}

void job_end_limits(struct job_queues *queues, const struct open_job *job)
{
    for (struct line *line = job->line; line; line = line->parent) {
        if (line->limit) limit_end(queues->limits, line->limit);
    }
}

void open_job_start(struct job_queues *queues, const struct open_job *job, int64_t now_us)
{
    for (struct line *line = job->line; line; line = line->parent) {
        if (line->limit) limit_start(queues->limits, line->limit, now_us);
    }
}

void target_limit_jobs(struct job_queues *queues, struct target *target, int64_t now_us)
{
    for (struct open_job *job = target->first; job; job = job->target_next) {
        open_job_limit(queues, job, now_us);
    }
}

void queue_limit_keys(struct job_queues *queues, struct queue *queue,
                      const struct queue_limits *rule, int64_t now_us)
{
    size_t cursor     = 0;
    queue->key_limits = *rule;
    struct open_job *job;
    while ((job = open_job_next(queues, &cursor))) {
        if (job->queue == queue && job->limit_key) open_job_limit(queues, job, now_us);
    }
}
