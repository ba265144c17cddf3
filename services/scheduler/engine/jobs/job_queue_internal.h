/* What the files of job_queue.h share. */
#ifndef SCHEDULER_JOB_QUEUE_INTERNAL_H
#define SCHEDULER_JOB_QUEUE_INTERNAL_H

#include "base/map.h"
#include "scheduler/engine/jobs/job_queue.h"

struct job_queues {
    struct queue **queues; /* owned, as is each */
    size_t queue_count, queue_capacity;
    struct map *by_name; /* key of a queue -> struct queue */
    struct map *by_id;   /* job id -> struct open_job, owned */
    struct heap delayed;
    struct heap leased;
    struct heap throttled;   /* queues, by the time of their next start */
    struct targets *targets; /* owned */
    struct lines *lines;     /* owned */
    struct lanes *lanes;     /* owned */
    struct limits *limits;   /* owned */
    struct fundings fundings;
    struct job_progress *progress; /* borrowed; NULL: nobody looks on */
};

/** Takes a job out of the place that it is in; puts one that waits where it belongs. */
void job_unplace(struct job_queues *queues, struct open_job *job);
void job_place(struct job_queues *queues, struct open_job *job, int64_t now_us);

/** Its target is left: whoever has a probe says what became of it before; else it was not used. */
void job_leave_target(struct job_queues *queues, struct open_job *job);

/** The line in which the job stands when it is ready. */
struct line *job_line_of(struct job_queues *queues, const struct open_job *job, int64_t now_us);

/** It stands in `line`, one of its queue, from now on, and so in its lane. Not ready. */
void job_stand_in(struct job_queues *queues, struct open_job *job, struct line *line);

/** Each of its limits has one job more, and one less, at work. */
void job_use_limits(struct job_queues *queues, const struct open_job *job);
void job_end_limits(struct job_queues *queues, const struct open_job *job);

#endif
