/* Open jobs by id: a sorted array per run. */
#include "scheduler/run/state.h"

#include "base/assert.h"
#include "base/mem.h"

enum { CAPACITY_MIN = 4 };

/* Where `id` is or belongs. New ids sort after older ones, so that is mostly the end. */
static uint32_t job_position(const struct run *run, const uint8_t *id)
{
    uint32_t low  = 0;
    uint32_t high = run->job_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(run->jobs[middle].id, id, ID_BYTES) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void job_index_add(struct run *run, const struct id *job, uint32_t activation)
{
    struct job_entry entry = {.activation = activation};
    id_pack(str_from(job->text), entry.id);
    if (run->job_count == run->job_capacity) {
        run->job_capacity = run->job_capacity ? run->job_capacity * 2 : CAPACITY_MIN;
        run->jobs         = mem_resize(run->jobs, run->job_capacity, sizeof *run->jobs);
    }
    uint32_t at = job_position(run, entry.id);
    memmove(&run->jobs[at + 1], &run->jobs[at], (run->job_count - at) * sizeof *run->jobs);
    run->jobs[at] = entry;
    run->job_count++;
}

void job_index_remove(struct run *run, const struct id *job)
{
    uint8_t packed[ID_BYTES];
    id_pack(str_from(job->text), packed);
    uint32_t at = job_position(run, packed);
    ASSERT(at < run->job_count && memcmp(run->jobs[at].id, packed, ID_BYTES) == 0);
    run->job_count--;
    memmove(&run->jobs[at], &run->jobs[at + 1], (run->job_count - at) * sizeof *run->jobs);
}

struct activation *job_activation(const struct run *run, str job)
{
    uint8_t packed[ID_BYTES];
    if (!id_try_pack(job, packed)) return NULL;
    uint32_t at = job_position(run, packed);
    if (at == run->job_count || memcmp(run->jobs[at].id, packed, ID_BYTES) != 0) return NULL;
    return run_activation(run, run->jobs[at].activation);
}
