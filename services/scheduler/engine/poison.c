#include "scheduler/engine/poison.h"

#include "base/assert.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1100 };

static const char MAGIC[16] = "tutti-poison-1\n";

/* As it lies in the file. Only one machine ever reads it, so the byte order is the machine's. */
struct marks {
    char magic[sizeof MAGIC];
    uint8_t current[ID_BYTES]; /* worked on now */
    uint8_t suspect[ID_BYTES]; /* worked on when the process died last */
    uint32_t crashes;          /* of the suspect */
    _Atomic uint32_t is_working;
};
static_assert(sizeof(struct marks) == 56);

struct poison {
    struct marks *marks; /* mapped */
};

static void count_crash(struct marks *marks)
{
    if (!atomic_load(&marks->is_working)) return;
    bool is_same   = memcmp(marks->suspect, marks->current, ID_BYTES) == 0;
    marks->crashes = is_same ? marks->crashes + 1 : 1;
    memcpy(marks->suspect, marks->current, ID_BYTES);
    atomic_store(&marks->is_working, 0);
}

static status map_file(int fd, const char *path, struct marks **ret_marks, struct error *reterr)
{
    if (ftruncate(fd, sizeof(struct marks))) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    }
    void *mapped = mmap(NULL, sizeof(struct marks), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);
    *ret_marks = mapped;
    return STATUS_OK;
}

status poison_open(const char *folder, struct poison **ret_poison, struct error *reterr)
{
    char path[PATH_SIZE];
    int written = snprintf(path, sizeof path, "%s/poison", folder);
    if (written < 0 || (size_t)written >= sizeof path) {
        return fail(reterr, STATUS_UNAVAILABLE, "%s: path too long", folder);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(reterr, STATUS_UNAVAILABLE, "%s: %m", path);

    struct marks *marks = NULL;
    status mapped       = map_file(fd, path, &marks, reterr);
    (void)close(fd); /* the mapping stays */
    TRY(mapped);

    if (memcmp(marks->magic, MAGIC, sizeof MAGIC) != 0) {
        *marks = (struct marks){};
        memcpy(marks->magic, MAGIC, sizeof MAGIC);
    }
    count_crash(marks);

    struct poison *poison = mem_new(1, sizeof *poison);
    poison->marks         = marks;
    *ret_poison           = poison;
    return STATUS_OK;
}

void poison_close(struct poison *poison)
{
    if (!poison) return;
    (void)munmap(poison->marks, sizeof(struct marks));
    free(poison);
}

bool poison_run(const struct poison *poison, struct id *ret_run)
{
    if (poison->marks->crashes < POISON_CRASHES) return false;
    *ret_run = id_unpack(poison->marks->suspect);
    return true;
}

void poison_begin(struct poison *poison, str run)
{
    struct marks *marks = poison->marks;
    ASSERT(!atomic_load_explicit(&marks->is_working, memory_order_relaxed));
    id_pack(run, marks->current);
    /* Release, so that the compiler keeps the id before the flag. */
    atomic_store_explicit(&marks->is_working, 1, memory_order_release);
}

void poison_end(struct poison *poison)
{
    struct marks *marks = poison->marks;
    atomic_store_explicit(&marks->is_working, 0, memory_order_release);
    if (marks->crashes > 0 && memcmp(marks->suspect, marks->current, ID_BYTES) == 0) {
        marks->crashes = 0;
    }
}
