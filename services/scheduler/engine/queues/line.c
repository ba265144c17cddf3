#include "scheduler/engine/queues/line.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/engine/jobs/job_queue.h"
#include "scheduler/engine/limits/limit.h"
#include "scheduler/engine/queues/lane.h"

#include <stdlib.h>

struct lines {
    struct map *by_name; /* struct line, owned */
    struct line *first_idle, *last_idle;
    size_t idle_count;
};

/* --- order -------------------------------------------------------------------------------------
 */

static struct open_job *job_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct open_job, link);
    return (struct open_job *)place;
}

static struct open_job *job_in_lane(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct open_job, lane_link);
    return (struct open_job *)place;
}

static struct line *line_of(const struct heap_link *link)
{
    uintptr_t place = (uintptr_t)link - offsetof(struct line, link);
    return (struct line *)place;
}

static bool is_older(const struct open_job *one, const struct open_job *two)
{
    if (one->due_us != two->due_us) return one->due_us < two->due_us;
    return one->sequence < two->sequence;
}

static bool is_older_here(const struct heap_link *a, const struct heap_link *b)
{
    return is_older(job_of(a), job_of(b));
}

static bool is_older_in_lane(const struct heap_link *a, const struct heap_link *b)
{
    return is_older(job_in_lane(a), job_in_lane(b));
}

/* Smaller has its turn first. */
static int64_t rank_us(const struct line *line)
{
    const struct open_job *head = line->head;
    int64_t since_us            = head->due_us > line->turned_us ? head->due_us : line->turned_us;
    return since_us - (int64_t)head->priority * QUEUE_AGEING_US;
}

static bool is_before(const struct heap_link *a, const struct heap_link *b)
{
    const struct line *one = line_of(a);
    const struct line *two = line_of(b);
    int64_t rank_one_us    = rank_us(one);
    int64_t rank_two_us    = rank_us(two);
    if (rank_one_us != rank_two_us) return rank_one_us < rank_two_us;
    if (one->turn != two->turn) return one->turn < two->turn;
    return one->head->sequence < two->head->sequence;
}

struct heap lines_heap(void)
{
    return heap_init(is_before);
}

/* --- all lines ---------------------------------------------------------------------------------
 */

struct lines *lines_new(void)
{
    struct lines *lines = mem_new(1, sizeof *lines);
    lines->by_name      = map_new(LINES_MAX);
    return lines;
}

static void line_free(struct line *line)
{
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++) heap_done(&line->ready[i]);
    heap_done(&line->lines);
    free((char *)(uintptr_t)line->name.ptr);
    free(line);
}

size_t lines_count(const struct lines *lines)
{
    return map_count(lines->by_name);
}

void lines_free(struct lines *lines)
{
    if (!lines) return;
    size_t cursor = 0;
    void *line    = NULL;
    while (map_next(lines->by_name, &cursor, NULL, &line)) line_free(line);
    map_free(lines->by_name);
    free(lines);
}

/* Where it stands and its name. */
struct line_key {
    char data[2 * sizeof(void *) + LINE_NAME_MAX];
};

static str key_of(const struct queue *queue, const struct lane *lane, const struct line *parent,
                  str name, struct line_key *key)
{
    ASSERT(name.len <= LINE_NAME_MAX);
    const void *around = lane ? (const void *)lane : queue;
    memcpy(key->data, (const void *)&around, sizeof(void *));
    memcpy(key->data + sizeof(void *), (const void *)&parent, sizeof(void *));
    if (name.len > 0) memcpy(key->data + 2 * sizeof(void *), name.ptr, name.len);
    return (str){key->data, 2 * sizeof(void *) + name.len};
}

/* --- lines that nobody needs right now ---------------------------------------------------------
 */

static void idle_add(struct lines *lines, struct line *line)
{
    line->idle_next     = NULL;
    line->idle_previous = lines->last_idle;
    if (lines->last_idle) {
        lines->last_idle->idle_next = line;
    } else {
        lines->first_idle = line;
    }
    lines->last_idle = line;
    lines->idle_count++;
}

static void idle_remove(struct lines *lines, struct line *line)
{
    if (line->idle_previous) {
        line->idle_previous->idle_next = line->idle_next;
    } else {
        lines->first_idle = line->idle_next;
    }
    if (line->idle_next) {
        line->idle_next->idle_previous = line->idle_previous;
    } else {
        lines->last_idle = line->idle_previous;
    }
    lines->idle_count--;
}

static void join_limit(struct line *line, struct limit *limit)
{
    line->limit      = limit;
    line->limit_next = limit->first_line;
    if (limit->first_line) limit->first_line->limit_previous = line;
    limit->first_line = line;
}

static void leave_limit(struct line *line)
{
    if (line->limit_previous) {
        line->limit_previous->limit_next = line->limit_next;
    } else {
        line->limit->first_line = line->limit_next;
    }
    if (line->limit_next) line->limit_next->limit_previous = line->limit_previous;
    if (!line->limit->first_line) limit_unshow(line->limit);
}

static void drop(struct lines *lines, struct line *line)
{
    struct line_key key;
    str full      = key_of(line->queue, line->lane, line->parent, line->name, &key);
    void *removed = map_remove(lines->by_name, full);
    ASSERT(removed == line);
    ASSERT(!line->head);
    idle_remove(lines, line);
    if (line->limit) leave_limit(line);
    if (line->parent) line_leave(lines, line->parent);
    if (line->lane) lane_leave(line->lane);
    line_free(line);
}

void line_use(struct lines *lines, struct line *line)
{
    if (line->user_count++ == 0) idle_remove(lines, line);
}

void line_leave(struct lines *lines, struct line *line)
{
    ASSERT(line->user_count > 0);
    if (--line->user_count > 0) return;
    idle_add(lines, line);
    if (lines->idle_count > LINES_IDLE_MAX) drop(lines, lines->first_idle);
}

static struct line *find_or_make(struct lines *lines, struct queue *queue, struct lane *lane,
                                 struct line *parent, str name)
{
    struct line_key key;
    if (name.len > LINE_NAME_MAX) return NULL;
    str full          = key_of(queue, lane, parent, name, &key);
    struct line *line = map_get(lines->by_name, full);
    if (line) return line;
    line = mem_new(1, sizeof *line);
    if (!map_put(lines->by_name, full, line)) {
        free(line);
        return NULL;
    }
    line->name   = (str){mem_dup(name.ptr, name.len), name.len};
    line->queue  = queue;
    line->lane   = lane;
    line->parent = parent;
    line->turn   = queue->turn;
    line->lines  = lines_heap();
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++) {
        line->ready[i] = heap_init(lane ? is_older_in_lane : is_older_here);
    }
    idle_add(lines, line);
    if (parent) line_use(lines, parent);
    if (lane) lane_use(lane);
    return line;
}

struct line *line_at(struct lines *lines, struct queue *queue, str name)
{
    return find_or_make(lines, queue, NULL, NULL, name);
}

struct line *line_within(struct lines *lines, struct line *parent, struct limit *limit)
{
    struct line *line = find_or_make(lines, parent->queue, parent->lane, parent, limit->name);
    if (line && !line->limit) join_limit(line, limit);
    return line;
}

struct line *line_in_lane(struct lines *lines, struct lane *lane, const struct line *line)
{
    enum { DEPTH_MAX = 8 }; /* its workflow, and what limits its jobs: job_line_of() */
    const struct line *path[DEPTH_MAX];
    size_t depth = 0;
    for (; line->parent; line = line->parent) {
        ASSERT(depth < DEPTH_MAX);
        path[depth++] = line;
    }
    struct line *mirror = find_or_make(lines, line->queue, lane, NULL, line->name);
    while (mirror && depth > 0) mirror = line_within(lines, mirror, path[--depth]->limit);
    return mirror;
}

const struct line *line_of_workflow(const struct line *line)
{
    while (line->parent) line = line->parent;
    return line;
}

/* --- jobs --------------------------------------------------------------------------------------
 */

/* The first of its own jobs and of those within it. */
static struct open_job *find_head(const struct line *line)
{
    const struct heap_link *within = heap_first(&line->lines);
    struct open_job *best          = within ? line_of(within)->head : NULL;
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++) {
        const struct heap_link *first = heap_first(&line->ready[i]);
        if (!first) continue;
        struct open_job *job = line->lane ? job_in_lane(first) : job_of(first);
        if (!best || open_job_is_before(job, best)) best = job;
    }
    return best;
}

static struct heap *lines_around(struct line *line)
{
    if (line->parent) return &line->parent->lines;
    return line->lane ? &line->lane->lines : &line->queue->lines;
}

void line_settle(struct line *line)
{
    for (; line; line = line->parent) {
        struct heap *heap = lines_around(line);
        bool is_in        = heap_has(&line->link);
        line->head        = find_head(line);
        bool may_stand    = line->head && (!line->limit || line->limit->is_open);
        if (may_stand && is_in) {
            heap_move(heap, &line->link);
        } else if (may_stand) {
            heap_add(heap, &line->link);
        } else if (is_in) {
            heap_remove(heap, &line->link);
        }
        if (line->lane && !line->parent) lane_settle(line->lane);
    }
}

static void stand(struct line *line)
{
    struct queue *queue = line->queue;
    line->previous      = NULL;
    line->next          = queue->first_line;
    if (queue->first_line) queue->first_line->previous = line;
    queue->first_line = line;
}

static void step_out(struct line *line)
{
    if (line->previous) {
        line->previous->next = line->next;
    } else {
        line->queue->first_line = line->next;
    }
    if (line->next) line->next->previous = line->previous;
}

static void count_waiting(struct line *line, int step)
{
    for (; line; line = line->parent) {
        line->waiting_count += (size_t)step;
        if (line->limit) limit_count_waiting(line->limit, step);
    }
}

void line_add(struct line *line, struct open_job *job)
{
    heap_add(&line->ready[job->priority], line->lane ? &job->lane_link : &job->link);
    if (!line->lane) {
        count_waiting(line, 1);
        if (line->ready_count++ == 0) stand(line);
    }
    line_settle(line);
}

void line_remove(struct line *line, struct open_job *job)
{
    heap_remove(&line->ready[job->priority], line->lane ? &job->lane_link : &job->link);
    if (!line->lane) {
        count_waiting(line, -1);
        if (--line->ready_count == 0) step_out(line);
    }
    line_settle(line);
}

void line_take_turn(struct line *line, int64_t now_us)
{
    uint64_t turn = ++line->queue->turn;
    for (struct line *at = line; at; at = at->parent) {
        at->turned_us = now_us;
        at->turn      = turn;
    }
    line_settle(line);
}

int64_t line_oldest_us(const struct line *line)
{
    int64_t oldest_us = INT64_MAX;
    for (size_t i = 0; i < QUEUE_PRIORITIES; i++) {
        const struct heap_link *first = heap_first(&line->ready[i]);
        if (first && job_of(first)->due_us < oldest_us) oldest_us = job_of(first)->due_us;
    }
    return oldest_us;
}

struct open_job *lines_head(const struct heap *lines)
{
    const struct heap_link *first = heap_first(lines);
    return first ? line_of(first)->head : NULL;
}
