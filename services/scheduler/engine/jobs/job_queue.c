#include "scheduler/engine/jobs/job_queue_internal.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/job_progress.h"
#include "scheduler/engine/queues/lane.h"

#include <stdint.h>
#include <stdlib.h>

enum { QUEUE_NAMES_MAX = 1 << 20, QUEUES_CAPACITY_MIN = 16 };

static struct open_job *job_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct open_job, link);
    return (struct open_job *)place;
}

static bool is_due_before(const struct heap_link *a, const struct heap_link *b)
{
    const struct open_job *one = job_of(a);
    const struct open_job *two = job_of(b);
    if (one->due_us != two->due_us) return one->due_us < two->due_us;
    return one->sequence < two->sequence;
}

/* When a leased job must be looked at. */
static int64_t over_us(const struct open_job *job)
{
    bool ends_first = job->attempt_ends_us > 0 && job->attempt_ends_us < job->lease_expires_us;
    return ends_first ? job->attempt_ends_us : job->lease_expires_us;
}

static bool is_over_before(const struct heap_link *a, const struct heap_link *b)
{
    return over_us(job_of(a)) < over_us(job_of(b));
}

static struct queue *queue_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct queue, opening);
    return (struct queue *)place;
}

static int64_t opens_us(const struct heap_link *link)
{
    return start_rate_opens_us(&queue_of(link)->rate);
}

static bool opens_before(const struct heap_link *a, const struct heap_link *b)
{
    return opens_us(a) < opens_us(b);
}

struct job_queues *job_queues_new(bool is_owner, uint16_t partitions)
{
    struct job_queues *queues = mem_new(1, sizeof *queues);
    queues->by_name           = map_new(QUEUE_NAMES_MAX);
    queues->by_id             = map_new(QUEUE_JOBS_MAX);
    queues->delayed           = heap_init(is_due_before);
    queues->leased            = heap_init(is_over_before);
    queues->throttled         = heap_init(opens_before);
    queues->targets           = targets_new();
    queues->lines             = lines_new();
    queues->lanes             = lanes_new();
    fundings_init(&queues->fundings);
    queues->limits = limits_new(is_owner, partitions);
    return queues;
}

static char *text_of(str text) /* queues own their names; str points to const */
{
    return (char *)(uintptr_t)text.ptr;
}

static void queue_free(struct queue *queue)
{
    heap_done(&queue->lines);
    free(text_of(queue->namespace));
    free(text_of(queue->name));
    free(queue);
}

static void job_free(struct open_job *job)
{
    funding_free(job->funding);
    free(job->limit_key);
    free(job->limit_name);
    free(job);
}

void job_queues_free(struct job_queues *queues)
{
    if (!queues) return;
    size_t cursor = 0;
    void *job     = NULL;
    while (map_next(queues->by_id, &cursor, NULL, &job)) job_free(job);
    fundings_done(&queues->fundings);
    for (size_t i = 0; i < queues->queue_count; i++) queue_free(queues->queues[i]);
    free(queues->queues);
    map_free(queues->by_name);
    map_free(queues->by_id);
    heap_done(&queues->delayed);
    heap_done(&queues->leased);
    heap_done(&queues->throttled);
    targets_free(queues->targets);
    lines_free(queues->lines);
    lanes_free(queues->lanes);
    limits_free(queues->limits);
    free(queues);
}

static str name_key(struct key *key, str namespace, str name)
{
    queue_key(key, namespace, name);
    bytes raw = key_bytes(key);
    return (str){.ptr = raw.ptr, .len = raw.len};
}

struct queue *job_queue_find(struct job_queues *queues, str namespace, str name)
{
    struct key key;
    return map_get(queues->by_name, name_key(&key, namespace, name));
}

static struct queue *queue_new(str namespace, str name)
{
    struct queue *queue = mem_new(1, sizeof *queue);
    queue->namespace    = (str){mem_dup(namespace.ptr, namespace.len), namespace.len};
    queue->name         = (str){mem_dup(name.ptr, name.len), name.len};
    queue->lines        = lines_heap();
    return queue;
}

struct queue *job_queue_at(struct job_queues *queues, str namespace, str name)
{
    struct queue *queue = job_queue_find(queues, namespace, name);
    if (queue) return queue;

    if (queues->queue_count == queues->queue_capacity) {
        queues->queue_capacity =
            queues->queue_capacity ? 2 * queues->queue_capacity : QUEUES_CAPACITY_MIN;
        queues->queues = mem_resize(queues->queues, queues->queue_capacity, sizeof(struct queue *));
    }
    queue                                 = queue_new(namespace, name);
    queues->queues[queues->queue_count++] = queue;
    struct key key;
    bool is_put = map_put(queues->by_name, name_key(&key, namespace, name), queue);
    ASSERT(is_put);
    return queue;
}

size_t job_queue_count(const struct job_queues *queues)
{
    return queues->queue_count;
}

struct queue *job_queue_next(struct job_queues *queues, size_t *index)
{
    return *index < queues->queue_count ? queues->queues[(*index)++] : NULL;
}

void open_job_adopt(struct open_job *job, struct worker *holder)
{
    if (job->holder) job->holder->busy--;
    if (holder) holder->busy++;
    job->holder = holder;
}

void job_unplace(struct job_queues *queues, struct open_job *job)
{
    struct queue *queue = job->queue;
    switch (job->state) {
    case OPEN_JOB_READY:
        line_remove(job->line, job);
        if (job->lane_line) line_remove(job->lane_line, job);
        queue->ready_count--;
        return;
    case OPEN_JOB_DELAYED:
        heap_remove(&queues->delayed, &job->link);
        queue->delayed_count--;
        return;
    case OPEN_JOB_HELD:
        queue->held_count--;
        if (job->is_shut_out) job->target->held_count--;
        job->is_shut_out = false;
        return;
    case OPEN_JOB_LEASED:
        heap_remove(&queues->leased, &job->link);
        queue->leased_count--;
        job_end_limits(queues, job);
        open_job_adopt(job, NULL);
        return;
    }
}

static void shut_out(struct job_queues *queues, struct open_job *job)
{
    job->is_shut_out = true;
    job->target->held_count++;
    job->target->held_total++;
    target_note_held(queues->targets, job->target, job);
}

void job_place(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    struct queue *queue = job->queue;
    bool is_due         = job->due_us <= now_us;
    bool is_shut_out    = job->target && !job->is_probe && target_is_shut(job->target);
    bool is_stopped     = job->is_held || (is_due && is_shut_out);
    bool is_unfunded    = fundings_place(&queues->fundings, job->funding, is_due, is_stopped);
    if (is_stopped || is_unfunded) {
        job->state = OPEN_JOB_HELD;
        queue->held_count++;
        if (!job->is_held && is_shut_out) shut_out(queues, job);
    } else if (is_due) {
        job->state = OPEN_JOB_READY;
        line_add(job->line, job);
        if (job->lane_line) line_add(job->lane_line, job);
        queue->ready_count++;
    } else {
        job->state = OPEN_JOB_DELAYED;
        heap_add(&queues->delayed, &job->link);
        queue->delayed_count++;
    }
}

struct line *job_line_at(struct job_queues *queues, struct queue *queue, str workflow)
{
    return line_at(queues->lines, queue, workflow);
}

size_t job_queues_line_count(const struct job_queues *queues)
{
    return lines_count(queues->lines);
}

struct lane *job_lane_join(struct job_queues *queues, struct queue *queue, str function)
{
    return queue->namespace.len > 0 ? lane_join(queues->lanes, queue, function) : NULL;
}

const char *open_job_lane_name(const struct open_job *job)
{
    return job->lane ? job->lane->function.ptr : "";
}

void job_stand_in(struct job_queues *queues, struct open_job *job, struct line *line)
{
    struct line *mirror = job->lane ? line_in_lane(queues->lines, job->lane, line) : NULL;
    ASSERT(mirror || !job->lane); /* as in open_job_add() */
    job->line      = line;
    job->lane_line = mirror;
    line_use(queues->lines, line);
    if (mirror) line_use(queues->lines, mirror);
}

struct open_job *open_job_add(struct job_queues *queues, const struct open_job *job, int64_t now_us)
{
    ASSERT(job->priority <= JOB_PRIORITY_MAX);
    ASSERT(job->queue);
    struct open_job *added = mem_new(1, sizeof *added);
    *added                 = *job;
    added->link            = (struct heap_link){};
    added->lane_link       = (struct heap_link){};
    added->target          = NULL;
    added->limit_key       = NULL;
    added->limit_name      = NULL;
    if (added->funding) added->funding->job = added;
    if (!map_put(queues->by_id, str_from(added->id.text), added)) {
        if (added->lane) lane_leave(added->lane);
        job_free(added);
        return NULL;
    }
    if (job->limit_key) added->limit_key = mem_dup(job->limit_key, strlen(job->limit_key));
    if (job->limit_name) added->limit_name = mem_dup(job->limit_name, strlen(job->limit_name));
    if (job->target) target_add_job(job->target, added);
    if (added->is_probe && added->target) added->target->probe = added;
    if (!job->line) added->line = line_at(queues->lines, job->queue, (str){});
    ASSERT(added->line); /* LINES_MAX is beyond what QUEUE_JOBS_MAX jobs need */
    job_stand_in(queues, added, job_line_of(queues, added, now_us));
    job_place(queues, added, now_us);
    return added;
}

struct open_job *open_job_find(struct job_queues *queues, str id)
{
    return map_get(queues->by_id, id);
}

/* Nobody has it any more who says how far it is. */
static void drop_progress(const struct job_queues *queues, struct open_job *job)
{
    if (job->has_progress) job_progress_drop(queues->progress, &job->id);
    job->has_progress = false;
}

void open_job_remove(struct job_queues *queues, struct open_job *job)
{
    drop_progress(queues, job);
    job_unplace(queues, job);
    line_leave(queues->lines, job->line);
    if (job->lane_line) line_leave(queues->lines, job->lane_line);
    if (job->lane) lane_leave(job->lane);
    job_leave_target(queues, job);
    void *removed = map_remove(queues->by_id, str_from(job->id.text));
    ASSERT(removed == job);
    job_free(job);
}

void job_queues_show_progress(struct job_queues *queues, struct job_progress *progress)
{
    queues->progress = progress;
}

struct job_progress *job_queues_progress(const struct job_queues *queues)
{
    return queues->progress;
}

struct open_job *open_job_next(const struct job_queues *queues, size_t *cursor)
{
    void *job = NULL;
    return map_next(queues->by_id, cursor, NULL, &job) ? job : NULL;
}

size_t open_job_count(const struct job_queues *queues)
{
    return map_count(queues->by_id);
}

struct open_job *open_job_next_leased(const struct job_queues *queues, size_t *cursor)
{
    if (*cursor >= queues->leased.count) return NULL;
    return job_of(queues->leased.links[++*cursor]);
}

size_t open_job_leased_count(const struct job_queues *queues)
{
    return queues->leased.count;
}

/* Smaller goes first. */
static int64_t rank_us(const struct open_job *job)
{
    return job->due_us - (int64_t)job->priority * QUEUE_AGEING_US;
}

bool open_job_is_before(const struct open_job *a, const struct open_job *b)
{
    int64_t rank_a_us = rank_us(a);
    int64_t rank_b_us = rank_us(b);
    return rank_a_us != rank_b_us ? rank_a_us < rank_b_us : a->sequence < b->sequence;
}

/* --- limits ------------------------------------------------------------------------------------
 */

/* Shuts the queue until it may start something. */
static void throttle(struct job_queues *queues, struct queue *queue, int64_t now_us)
{
    if (start_rate_opens_us(&queue->rate) > now_us) heap_add(&queues->throttled, &queue->opening);
}

void queue_limit(struct job_queues *queues, struct queue *queue, const struct queue_limits *share,
                 int64_t now_us)
{
    if (heap_has(&queue->opening)) heap_remove(&queues->throttled, &queue->opening);
    queue->concurrency = share->concurrency;
    start_rate_set(&queue->rate, share, now_us);
    throttle(queues, queue, now_us);
}

static bool queue_is_shut(const struct queue *queue)
{
    bool is_full = queue->concurrency > 0 && queue->leased_count >= queue->concurrency;
    return queue->is_paused || is_full || heap_has(&queue->opening);
}

struct open_job *queue_peek(const struct queue *queue)
{
    return queue_is_shut(queue) ? NULL : lines_head(&queue->lines);
}

struct open_job *queue_peek_lane(const struct queue *queue, const struct lane *lane)
{
    if (!lane) return queue_peek(queue);
    return queue_is_shut(queue) ? NULL : lines_head(&lane->lines);
}

int64_t queue_oldest_us(const struct queue *queue)
{
    int64_t oldest_us = INT64_MAX;
    for (const struct line *line = queue->first_line; line; line = line->next) {
        int64_t due_us = line_oldest_us(line);
        if (due_us < oldest_us) oldest_us = due_us;
    }
    return oldest_us == INT64_MAX ? 0 : oldest_us;
}

void open_job_lease(struct job_queues *queues, struct open_job *job, struct worker *holder,
                    uint32_t lease_ms, int64_t now_us, int64_t ends_us)
{
    ASSERT(job->state != OPEN_JOB_LEASED);
    ASSERT(lease_ms > 0);
    line_take_turn(job->line, now_us);
    if (job->lane_line) line_take_turn(job->lane_line, now_us);
    job_unplace(queues, job);
    job->state            = OPEN_JOB_LEASED;
    job->is_cancel_wanted = false;
    job->is_unclaimed     = false;
    job->lease_ms         = lease_ms;
    job->leased_us        = now_us;
    job->lease_expires_us = now_us + (int64_t)lease_ms * 1000;
    job->attempt_ends_us  = ends_us;
    job->lease_number++;
    heap_add(&queues->leased, &job->link);
    job->queue->leased_count++;
    job_use_limits(queues, job);
    open_job_adopt(job, holder);
}

void queue_start(struct job_queues *queues, struct queue *queue, int64_t now_us)
{
    ASSERT(!heap_has(&queue->opening));
    start_rate_take(&queue->rate, 1, now_us);
    throttle(queues, queue, now_us);
}

void open_job_extend(struct job_queues *queues, struct open_job *job, int64_t now_us)
{
    ASSERT(job->state == OPEN_JOB_LEASED);
    job->lease_expires_us = now_us + (int64_t)job->lease_ms * 1000;
    heap_move(&queues->leased, &job->link);
}

/* --- times -------------------------------------------------------------------------------------
 */

void open_job_return(struct job_queues *queues, struct open_job *job, int64_t due_us,
                     int64_t now_us)
{
    drop_progress(queues, job);
    job_unplace(queues, job);
    job->lease_expires_us = 0;
    job->attempt_ends_us  = 0;
    job->due_us           = due_us;
    job_place(queues, job, now_us);
}

void job_queues_advance(struct job_queues *queues, int64_t now_us)
{
    const struct heap_link *first = NULL;
    while ((first = heap_first(&queues->delayed)) && job_of(first)->due_us <= now_us) {
        struct open_job *job = job_of(first);
        job_unplace(queues, job);
        job_place(queues, job, now_us);
    }
    while ((first = heap_first(&queues->throttled)) && opens_us(first) <= now_us) {
        heap_remove(&queues->throttled, &queue_of(first)->opening);
    }
    limits_advance(queues->limits, now_us);
    struct target *target = NULL;
    while ((target = targets_wake(queues->targets, now_us))) {
        target_place_jobs(queues, target, now_us);
        targets_drop(queues->targets, target);
    }
}

struct open_job *job_queues_expired(struct job_queues *queues, int64_t now_us)
{
    const struct heap_link *first = heap_first(&queues->leased);
    if (!first || over_us(job_of(first)) > now_us) return NULL;
    return job_of(first);
}

int64_t job_queues_due_us(const struct job_queues *queues)
{
    int64_t due_us                  = targets_due_us(queues->targets);
    const struct heap_link *delayed = heap_first(&queues->delayed);
    const struct heap_link *leased  = heap_first(&queues->leased);
    if (delayed && job_of(delayed)->due_us < due_us) due_us = job_of(delayed)->due_us;
    if (leased && over_us(job_of(leased)) < due_us) due_us = over_us(job_of(leased));
    const struct heap_link *throttled = heap_first(&queues->throttled);
    if (throttled && opens_us(throttled) < due_us) due_us = opens_us(throttled);
    int64_t limit_us = limits_due_us(queues->limits);
    return limit_us < due_us ? limit_us : due_us;
}
