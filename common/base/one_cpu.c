#include "base/one_cpu.h"

#include "base/mem.h"

#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

struct one_cpu {
    cpu_set_t allowed; /* before anything was changed */
    bool is_gathered;
    int64_t gathered_us; /* when */
    int64_t looked_us;   /* 0: not yet */
    int64_t used_us;     /* until then */
};

struct one_cpu *one_cpu_new(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return NULL;
    struct one_cpu *one = mem_new(1, sizeof *one);
    one->allowed        = allowed;
    return one;
}

/* All threads that there are now; later ones have what their makers have. A thread that ends
 * meanwhile, or a CPU that was taken from us, is no harm. */
static void move_all(const cpu_set_t *to)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return;
    const struct dirent *task = NULL;
    while ((task = readdir(tasks))) {
        pid_t thread = (pid_t)strtol(task->d_name, NULL, 10); /* 0: "." and ".." */
        if (thread > 0) (void)sched_setaffinity(thread, sizeof *to, to);
    }
    (void)closedir(tasks);
}

static void gather(struct one_cpu *one, int64_t now_us)
{
    int here = sched_getcpu();
    if (here < 0 || !CPU_ISSET((size_t)here, &one->allowed)) return;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET((size_t)here, &only);
    move_all(&only);
    one->is_gathered = true;
    one->gathered_us = now_us;
}

static void spread(struct one_cpu *one)
{
    move_all(&one->allowed);
    one->is_gathered = false;
}

void one_cpu_tend(struct one_cpu *one, int64_t now_us, int64_t used_us)
{
    if (!one) return;
    int64_t past_us = now_us - one->looked_us;
    if (past_us < ONE_CPU_LOOK_MS * INT64_C(1'000)) return;
    bool is_first   = one->looked_us == 0;
    int64_t percent = (used_us - one->used_us) * 100 / past_us;
    one->looked_us  = now_us;
    one->used_us    = used_us;
    if (is_first || percent < ONE_CPU_IDLE_PERCENT) return;

    bool is_full = percent >= ONE_CPU_FULL_PERCENT;
    bool is_over = now_us - one->gathered_us >= ONE_CPU_STAY_MS * INT64_C(1'000);
    if (one->is_gathered && (is_full || is_over)) {
        spread(one);
    } else if (!one->is_gathered && !is_full) {
        gather(one, now_us);
    }
}

void one_cpu_free(struct one_cpu *one)
{
    if (!one) return;
    if (one->is_gathered) spread(one);
    free(one);
}
