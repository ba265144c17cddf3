/** core_jobs: how the jobs of a run in the core are answered by the script. */
#ifndef LANGUAGE_CORE_JOBS_H
#define LANGUAGE_CORE_JOBS_H

#include "language/script.h"
#include "support/scheduler/world.h"

/* Attempts that the script leaves without an answer. */
struct core_jobs {
    struct {
        struct id job;
        uint32_t attempt;
    } silent[SCRIPT_ANSWERS_MAX];
    size_t silent_count;
};

void core_jobs_clear(struct core_jobs *jobs);

/** Answers the first job that is due; `*ret_has_answered` is false if there is none. */
status core_jobs_answer(struct core_jobs *jobs, struct world *world, struct script *script,
                        bool *ret_has_answered, struct error *reterr);

/** When the next job is due; NO_DUE_US: none will be. */
int64_t core_jobs_due(const struct core_jobs *jobs, const struct world *world);

#endif
