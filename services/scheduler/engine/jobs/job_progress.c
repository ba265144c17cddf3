#include "scheduler/engine/jobs/job_progress.h"

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "scheduler/tables/record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What one job says. */
struct saying {
    char *job, *run, *task, *iteration; /* owned */
    char *text;                         /* owned; NULL: nothing yet */
    size_t len;
    uint64_t number;     /* 0: nothing yet */
    struct saying *next; /* another job of the run */
};

struct job_progress {
    pthread_mutex_t mutex; /* guards what follows */
    struct map *by_job;    /* owned sayings */
    struct map *by_run;    /* the first of each run */
    uint64_t last_number;
};

static void make_maps(struct job_progress *progress)
{
    progress->by_job = map_new(JOB_PROGRESS_MAX);
    progress->by_run = map_new(JOB_PROGRESS_MAX);
}

struct job_progress *job_progress_new(void)
{
    struct job_progress *progress = mem_new(1, sizeof *progress);
    int failed                    = pthread_mutex_init(&progress->mutex, NULL);
    ASSERT(!failed);
    make_maps(progress);
    return progress;
}

static void lock(struct job_progress *progress)
{
    int failed = pthread_mutex_lock(&progress->mutex);
    ASSERT(!failed);
}

static void unlock(struct job_progress *progress)
{
    int failed = pthread_mutex_unlock(&progress->mutex);
    ASSERT(!failed);
}

static void saying_free(struct saying *saying)
{
    free(saying->job);
    free(saying->run);
    free(saying->task);
    free(saying->iteration);
    free(saying->text);
    free(saying);
}

static void free_maps(struct job_progress *progress)
{
    size_t cursor = 0;
    void *saying  = NULL;
    while (map_next(progress->by_job, &cursor, NULL, &saying)) saying_free(saying);
    map_free(progress->by_job);
    map_free(progress->by_run);
}

void job_progress_free(struct job_progress *progress)
{
    if (!progress) return;
    free_maps(progress);
    (void)pthread_mutex_destroy(&progress->mutex);
    free(progress);
}

void job_progress_clear(struct job_progress *progress)
{
    lock(progress);
    free_maps(progress);
    make_maps(progress);
    unlock(progress);
}

/* --- jobs: under the lock --------------------------------------------------------------------- */

static void put_first(struct job_progress *progress, const char *run, struct saying *first)
{
    if (!first) return;
    bool is_put = map_put(progress->by_run, str_from(run), first);
    ASSERT(is_put); /* there are no more runs than jobs */
}

static void unlink_saying(struct job_progress *progress, const struct saying *saying)
{
    struct saying *first = map_remove(progress->by_run, str_from(saying->run));
    struct saying **link = &first;
    while (*link != saying) link = &(*link)->next;
    *link = saying->next;
    put_first(progress, saying->run, first);
}

bool job_progress_knows(struct job_progress *progress, const struct id *job)
{
    lock(progress);
    bool is_known = map_get(progress->by_job, str_from(job->text)) != NULL;
    unlock(progress);
    return is_known;
}

static char *copy_new(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

void job_progress_add(struct job_progress *progress, const Pb__LeasedJob *job)
{
    lock(progress);
    bool is_known = map_get(progress->by_job, str_from(job->id)) != NULL;
    if (!is_known && map_count(progress->by_job) < JOB_PROGRESS_MAX) {
        struct saying *saying = mem_new(1, sizeof *saying);
        *saying               = (struct saying){.job       = copy_new(job->id),
                                                .run       = copy_new(job->run),
                                                .task      = copy_new(job->task),
                                                .iteration = copy_new(job->iteration)};
        saying->next          = map_remove(progress->by_run, str_from(job->run));
        put_first(progress, saying->run, saying);
        bool is_put = map_put(progress->by_job, str_from(job->id), saying);
        ASSERT(is_put);
    }
    unlock(progress);
}

/* Under the lock. Numbers go on where those of an earlier process ended, as far as its clock does.
 */
static bool say(struct job_progress *progress, struct saying *saying, str text, int64_t now_us)
{
    bool is_same =
        saying->text && saying->len == text.len && memcmp(saying->text, text.ptr, text.len) == 0;
    if (is_same) return false;
    free(saying->text);
    saying->text = mem_dup(text.ptr, text.len);
    saying->len  = text.len;
    progress->last_number++;
    if (progress->last_number < (uint64_t)now_us) progress->last_number = (uint64_t)now_us;
    saying->number = progress->last_number;
    return true;
}

bool job_progress_say(struct job_progress *progress, const struct id *job, str text, int64_t now_us)
{
    if (text.len == 0 || text.len > JOB_PROGRESS_SIZE_MAX) return false;
    lock(progress);
    struct saying *saying = map_get(progress->by_job, str_from(job->text));
    bool is_news          = saying && say(progress, saying, text, now_us);
    unlock(progress);
    return is_news;
}

void job_progress_drop(struct job_progress *progress, const struct id *job)
{
    lock(progress);
    struct saying *saying = map_remove(progress->by_job, str_from(job->text));
    if (saying) {
        unlink_saying(progress, saying);
        saying_free(saying);
    }
    unlock(progress);
}

/* --- reading ---------------------------------------------------------------------------------- */

str job_progress_of(struct job_progress *progress, str job, struct arena *arena)
{
    str found = {};
    lock(progress);
    const struct saying *saying = map_get(progress->by_job, job);
    if (saying && saying->text) {
        char *copy = text_in(arena, (str){.ptr = saying->text, .len = saying->len});
        if (copy) found = (str){.ptr = copy, .len = saying->len};
    }
    unlock(progress);
    return found;
}

/* NULL: there is no memory. */
static Pb__JobProgress *shown_new(const struct saying *saying, struct arena *arena)
{
    Pb__JobProgress *shown = arena_alloc(arena, sizeof *shown);
    if (!shown) return NULL;
    *shown               = (Pb__JobProgress)PB__JOB_PROGRESS__INIT;
    shown->number        = saying->number;
    shown->job           = text_in(arena, str_from(saying->job));
    shown->task          = text_in(arena, str_from(saying->task));
    shown->iteration     = text_in(arena, str_from(saying->iteration));
    shown->progress_json = bytes_in(arena, (str){.ptr = saying->text, .len = saying->len});
    bool is_whole = shown->job && shown->task && shown->iteration && shown->progress_json.data;
    return is_whole ? shown : NULL;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = (*(const struct saying *const *)left)->number;
    uint64_t b = (*(const struct saying *const *)right)->number;
    return (a > b) - (a < b);
}

/* Those above `after`, the earliest first. */
static const struct saying **news_of(const struct saying *first, uint64_t after, size_t *ret_count)
{
    size_t count = 0;
    for (const struct saying *one = first; one; one = one->next) count += one->number > after;
    *ret_count = 0;
    if (count == 0) return NULL;
    const struct saying **news = mem_new(count, sizeof *news);
    for (const struct saying *one = first; one; one = one->next) {
        if (one->number > after) news[(*ret_count)++] = one;
    }
    qsort(news, count, sizeof *news, by_number);
    return news;
}

size_t job_progress_of_run(struct job_progress *progress, str run, uint64_t after,
                           struct arena *arena, Pb__JobProgress ***ret_jobs)
{
    size_t count = 0;
    size_t room  = 0;
    lock(progress);
    const struct saying **news = news_of(map_get(progress->by_run, run), after, &room);
    if (room > JOB_PROGRESS_SHOWN_MAX) room = JOB_PROGRESS_SHOWN_MAX;
    Pb__JobProgress **jobs = room > 0 ? arena_alloc(arena, room * sizeof(Pb__JobProgress *)) : NULL;
    /* Who asks goes on after the last that is shown, so none before it may be left out. */
    while (jobs && count < room && (jobs[count] = shown_new(news[count], arena))) count++;
    unlock(progress);
    free(news);
    *ret_jobs = jobs;
    return count;
}
